package count

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/goalgraph/goalgraph/model"
	"github.com/goalgraph/goalgraph/model/filter"
	"github.com/goalgraph/goalgraph/model/store"
)

// Count answers questions together, equal ones once. A question whose partitions are as they were is answered from
// memory, and one of which only the head has changed from what the sealed partitions came to.
func (e *ColumnEngine) Count(ctx context.Context, questions []Question) ([]Answer, error) {
	if e.log.Enabled(ctx, slog.LevelDebug) {
		traced, stats := WithStats(ctx)
		begin := time.Now()
		ctx = traced
		defer func() {
			e.log.DebugContext(ctx, "questions were counted", "questions", len(questions), "took", time.Since(begin), "stats", stats())
		}()
	}
	answers := make([]Answer, len(questions))
	bySite := map[int64][]*aggregate{}
	distinct := map[Fingerprint]*aggregate{}
	for i := range questions {
		q := &questions[i]
		answers[i].Steps = make([]int, max(0, len(q.Steps)-1))
		if q.Where == filter.Expr(filter.Bool(false)) || q.In.From >= q.In.To {
			continue
		}
		text := q.Where.String()
		of := q.fingerprint(text)
		a := distinct[of]
		if a == nil {
			a = &aggregate{question: q, fingerprint: of, text: text, answer: &answers[i]}
			distinct[of] = a
			bySite[q.Site] = append(bySite[q.Site], a)
		} else {
			a.duplicates = append(a.duplicates, &answers[i])
		}
	}
	for site, aggregates := range bySite {
		if err := e.answer(ctx, site, aggregates); err != nil {
			return nil, err
		}
	}
	for _, a := range distinct {
		for _, answer := range a.duplicates {
			*answer = *a.answer
			answer.Steps = slices.Clone(a.answer.Steps)
		}
	}
	return answers, nil
}

// answer answers a site's questions.
func (e *ColumnEngine) answer(ctx context.Context, site int64, aggregates []*aggregate) error {
	begin := time.Now()
	all := aggregates[0].question.In
	for _, a := range aggregates {
		all.From, all.To = min(all.From, a.question.In.From), max(all.To, a.question.In.To)
	}
	partitions, err := e.store.Partitions(ctx, site, all)
	if err != nil {
		return err
	}
	if aggregates, err = e.resolve(ctx, site, aggregates); err != nil {
		return err
	}
	e.planning.Add(ctx, len(partitions), 0, begin)
	if len(partitions) == 0 {
		return nil
	}
	unknown := e.answers.recall(ctx, partitions, aggregates)
	if unknown, err = ready(ctx, partitions, unknown); err != nil {
		return err
	}
	if err := e.aggregate(ctx, partitions, unknown); err != nil {
		return err
	}
	e.answers.keep(unknown)
	return nil
}

// need is what the predicates of several questions need beside columns.
type need struct {
	Resolution
	err error
}

// resolve gives the aggregates their needs. Those whose need has an error that a person can do something about have it
// for their answer, and are left out.
func (e *ColumnEngine) resolve(ctx context.Context, site int64, aggregates []*aggregate) (able []*aggregate, err error) {
	needs := map[string]*need{}
	for _, a := range aggregates {
		text := needText(a.question.predicates())
		if text == "" {
			able = append(able, a)
			continue
		}
		n := needs[text]
		if n == nil {
			n = &need{}
			n.Resolution, n.err = e.matcher.Resolve(ctx, site, a.question.predicates())
			needs[text] = n
		}
		switch {
		case n.err == nil:
			a.need = n
			able = append(able, a)
		case ctx.Err() != nil || model.CodeOf(n.err) == model.Internal:
			return nil, n.err
		default:
			a.fail(n.err)
		}
	}
	return able, nil
}

// needText is equal for predicates that need the same beside columns, and empty for those that need nothing.
func needText(where filter.Expr) string {
	var text strings.Builder
	for kind, keys := range [][]string{filter.Computations(where), filter.Experiments(where)} {
		for _, key := range keys {
			fmt.Fprintf(&text, "%d%q", kind, key)
		}
	}
	filter.EachLeaf(where, func(leaf filter.Expr) {
		if filter.Uses(leaf, filter.Visitor) {
			text.WriteString(leaf.String())
		}
	})
	return text.String()
}

// ready returns the aggregates whose needs can be had for all the partitions that are asked. The others have their errors.
func ready(ctx context.Context, partitions []store.Partition, aggregates []*aggregate) (able []*aggregate, err error) {
	type asking struct {
		need   *need
		in     model.Range
		sealed bool
	}
	errs := map[asking]error{} // most questions are about one range
	for _, a := range aggregates {
		if a.need == nil {
			able = append(able, a)
			continue
		}
		key := asking{a.need, a.question.In, !a.sealedKnown}
		err, found := errs[key]
		if !found {
			var asked []store.Partition
			for at := range partitions {
				if a.asks(at, partitions[at].Day) {
					asked = append(asked, partitions[at])
				}
			}
			err = a.need.Ready(ctx, asked)
			errs[key] = err
		}
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if err != nil {
			a.fail(err)
			continue
		}
		able = append(able, a)
	}
	return able, nil
}

// Fingerprint is 128 bits of a hash that tells contents apart.
type Fingerprint [16]byte

// FingerprintOf returns the fingerprint of a list of texts.
func FingerprintOf(texts ...string) (f Fingerprint) {
	hash := sha256.New()
	for _, text := range texts {
		var length [8]byte
		binary.LittleEndian.PutUint64(length[:], uint64(len(text)))
		hash.Write(length[:])
		hash.Write([]byte(text))
	}
	copy(f[:], hash.Sum(nil))
	return f
}

// predicates returns a predicate with the leaves of all that the question has.
func (q *Question) predicates() filter.Expr {
	if q.Among == nil {
		return q.Where
	}
	return filter.And{q.Where, q.Among}
}

// fingerprint is of all that the question says; text is its predicate's.
func (q *Question) fingerprint(text string) Fingerprint {
	var steps []byte
	for _, step := range q.Steps {
		steps = binary.LittleEndian.AppendUint64(steps, uint64(step))
	}
	number := func(n int64) string { return strconv.FormatInt(n, 10) }
	visitors := strconv.FormatBool(q.Visitors)
	if q.Visitors && q.Among != nil {
		visitors = q.Among.String()
	}
	return FingerprintOf(text, q.Value, number(q.Site), number(int64(q.In.From)), number(int64(q.In.To)), visitors, string(steps))
}

// key returns the key of the question's partial aggregate in a partition. ok is false where that is more than an Entry
// says, distinct visitors or several steps of one day, or follows from more than the partition.
func (a *aggregate) key(p *store.Partition) (key Key, ok bool) {
	if a.question.Visitors || a.question.splits(p.Day) || !a.isLocal() {
		return Key{}, false
	}
	key = Key{Partition: p.ID, Revision: p.Revision, Fingerprint: a.partialFingerprint}
	if in := a.question.In; !in.Covers(p.Day) {
		from, to := max(in.From, p.Day.Start()), min(in.To, (p.Day+1).Start())
		key.Fingerprint = FingerprintOf(a.text, a.question.Value, strconv.FormatInt(int64(from), 10), strconv.FormatInt(int64(to), 10))
	}
	return key, true
}

// StateOf is the fingerprint of the partitions that a range touches, as they are.
func StateOf(partitions []store.Partition, in model.Range) Fingerprint {
	var state []byte
	for i := range partitions {
		if touches(in, partitions[i].Day) {
			state = binary.LittleEndian.AppendUint64(state, uint64(partitions[i].ID))
			state = binary.LittleEndian.AppendUint64(state, uint64(partitions[i].Revision.Number))
			state = binary.LittleEndian.AppendUint64(state, uint64(partitions[i].Revision.Write))
		}
	}
	return FingerprintOf(string(state))
}

// touches tells whether a range touches a day.
func touches(in model.Range, day model.Day) bool {
	return day.Start() < in.To && in.From < (day+1).Start()
}
