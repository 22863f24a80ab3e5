package ingest

import (
	"cmp"
	"context"
	"fmt"
	"hash/maphash"
	"io"
	"slices"
	"text/tabwriter"

	"github.com/goalgraph/goalgraph/model"
)

// Report tells what files would become.
type Report struct {
	// Summary has the visitors and sessions of the files alone, and no duplicates: these
	// depend on what was imported before.
	Summary Summary
	// First and Last are the times of the first and the last message; zero without one.
	First, Last model.Millis

	plan                            *Plan
	hosts, pages, referrers, agents *top
	visits                          visitCounter
}

// DryRun reads the files and tells what they would become, in memory that does not grow
// with them. It writes nothing. An error ends it as it ends Run.
func (p *Plan) DryRun(ctx context.Context) (*Report, error) {
	r := &Report{
		Summary: Summary{Format: p.Format()}, plan: p,
		hosts: newTop(topKept), pages: newTop(topKept), referrers: newTop(topKept), agents: newTop(topKept),
		visits: visitCounter{seed: maphash.MakeSeed()},
	}
	bar := newProgress(p.options.Progress, p.size)
	defer bar.end()
	note := func(text string) {
		if p.options.Notes != nil {
			bar.clear()
			_, _ = io.WriteString(p.options.Notes, text) // as in Run
		}
	}
	var before, bytes int64
	for _, f := range p.files {
		d := p.newLineDecoder(f)
		d.wantsAgents = true
		err := p.readFile(ctx, f, d,
			func(o outcome) error {
				r.take(f, &o)
				return nil
			}, note,
			func(read int64) {
				bytes = before + read
				bar.update(bytes, r.Summary.Lines)
			})
		if ctx.Err() != nil {
			return r, fmt.Errorf("dry run stopped after %d lines: %w", r.Summary.Lines, context.Cause(ctx))
		}
		if err != nil {
			return r, err
		}
		before = bytes
	}
	r.Summary.Visitors, r.Summary.Sessions = r.visits.count()
	return r, nil
}

func (r *Report) take(f *plannedFile, o *outcome) {
	r.Summary.count(o.is)
	if o.is != kept {
		return
	}
	hit := &o.message.Hit
	if r.First == 0 || hit.At < r.First {
		r.First = hit.At
	}
	r.Last = max(r.Last, hit.At)
	if f.namesHosts {
		r.hosts.add(o.host)
	}
	if hit.Kind == model.PageView {
		r.pages.add(hit.Name)
		r.referrers.add(cmp.Or(hit.Origin.Referrer, "(direct)"))
	}
	if o.userAgent != "" {
		r.agents.add(o.userAgent)
	}
	if hit.Kind == model.PageView || hit.Kind == model.Event {
		r.visits.add(cmp.Or(o.message.AnonymousID, o.message.UserID), hit.At)
	}
}

// Write writes the report for people.
func (r *Report) Write(w io.Writer) error {
	r.plan.describe(w)
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	s := &r.Summary
	if r.First != 0 {
		fmt.Fprintf(table, "\nfirst\t%s\nlast\t%s\n", timeText(r.First), timeText(r.Last))
	}
	fmt.Fprintf(table, "\nlines\t%d\nmessages\t%d\nbots\t%d\nignored\t%d\nrejected\t%d\n", s.Lines, s.Messages, s.Bots, s.Ignored, s.Rejected)
	if r.visits.isFull {
		fmt.Fprintf(table, "visitors\tnot counted: there are more than %d page views and events\n", maxVisitHits)
	} else {
		fmt.Fprintf(table, "visitors\t%d\nsessions\t%d\n", s.Visitors, s.Sessions)
	}
	for _, part := range []struct {
		name string
		*top
	}{{"HOST", r.hosts}, {"PAGE", r.pages}, {"REFERRER", r.referrers}, {"USER AGENT", r.agents}} {
		list := part.all()
		if len(list) == 0 {
			continue
		}
		fmt.Fprintf(table, "\nCOUNT\t%s\n", part.name)
		const most = 10
		for _, c := range list[:min(most, len(list))] {
			atMost := ""
			if c.excess > 0 {
				atMost = "at most "
			}
			fmt.Fprintf(table, "%s%d\t%s\n", atMost, c.count, printable(clean(c.text)))
		}
	}
	fmt.Fprintln(table)
	return table.Flush()
}

func timeText(at model.Millis) string { return at.Time().UTC().Format("2006-01-02 15:04:05 UTC") }

// maxVisitHits bounds the memory of a visitCounter to 32 MB.
const maxVisitHits = 2 << 20

// visitCounter counts visitors and their sessions, of as many hits as it holds.
type visitCounter struct {
	seed   maphash.Seed
	hits   []visitHit
	isFull bool
}

type visitHit struct {
	visitor uint64 // a hash
	at      model.Millis
}

func (v *visitCounter) add(visitor string, at model.Millis) {
	if v.isFull = v.isFull || len(v.hits) == maxVisitHits; v.isFull {
		v.hits = nil
		return
	}
	v.hits = append(v.hits, visitHit{maphash.String(v.seed, visitor), at})
}

// count returns zeros where there were too many hits.
func (v *visitCounter) count() (visitors, sessions int) {
	slices.SortFunc(v.hits, func(a, b visitHit) int { return cmp.Or(cmp.Compare(a.visitor, b.visitor), cmp.Compare(a.at, b.at)) })
	var begin model.Millis
	inSession := 0
	for i, hit := range v.hits {
		isNew := i == 0 || hit.visitor != v.hits[i-1].visitor
		if isNew {
			visitors++
		}
		if isNew || hit.at-v.hits[i-1].at > model.SessionGap || hit.at-begin >= model.MaxSessionLength || inSession == model.MaxSessionHits {
			sessions++
			begin, inSession = hit.at, 0
		}
		inSession++
	}
	return visitors, sessions
}
