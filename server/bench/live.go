package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/goalgraph/goalgraph/model"
	"github.com/goalgraph/goalgraph/model/store"
)

// traffic generates hits of new visitors.
type traffic struct {
	*generator
	r    *rand.Rand
	made int
}

// between is the pause between two hits of a session.
const between model.Millis = 10_000

// visits returns n hits on a day as messages, and the sessions that they make up.
func (t *traffic) visits(day, n int) (messages []model.Message, sessions []codedSession) {
	for len(messages) < n {
		var s codedSession
		t.draw(t.r, &s)
		s.visitor = int64(t.newBefore[len(t.newBefore)-1]+t.newOn[len(t.newOn)-1]+t.made) + 1
		agent := agents[t.r.IntN(len(agents))]
		s.browser, s.system = slices.Index(t.browsers, agent.browser), slices.Index(t.systems, agent.system)
		s.device = slices.Index(devices, string(agent.device))
		if left := n - len(messages); len(s.pages)+len(s.events) > left {
			s.pages, s.events, s.values = s.pages[:min(left, len(s.pages))], nil, nil
		}
		hits := model.Millis(len(s.pages) + len(s.events))
		for i := range s.counts {
			s.counts[i] = 1
		}
		s.pageViews, s.length = len(s.pages), (hits-1)*between
		s.start = (firstDay + model.Day(day)).Start() + model.Millis(t.r.IntN(dayMillis-int(hits*between)))
		messages = append(messages, t.messages(&s)...)
		sessions = append(sessions, s)
	}
	return messages, sessions
}

// messages returns the page views and then the events of a session of a new visitor.
func (t *traffic) messages(s *codedSession) (messages []model.Message) {
	t.made++
	visitor := fmt.Sprintf("live-%d", t.made)
	session := t.session(s, model.SessionID{})
	for i, page := range session.Pages {
		hit := model.Hit{ID: model.MessageIDOf(visitor, fmt.Sprint(i)), At: s.start + model.Millis(i)*between, Kind: model.PageView, Name: page, Origin: session.Origin, Knows: model.KnowsAll}
		if i == 0 {
			hit.Tags = session.Tags
		}
		messages = append(messages, model.Message{AnonymousID: visitor, Hit: hit})
	}
	for i, event := range session.Events {
		at := len(session.Pages) + i
		value, _ := event.Sum.Decimal() // of one event
		messages = append(messages, model.Message{AnonymousID: visitor, Hit: model.Hit{
			ID: model.MessageIDOf(visitor, fmt.Sprint(at)), At: s.start + model.Millis(at)*between,
			Kind: model.Event, Name: event.Name, Value: value, HasValue: event.Values > 0, Origin: session.Origin, Knows: model.KnowsAll &^ model.KnowsPage,
		}})
	}
	return messages
}

// freshness is the time from the acknowledgement of a batch of hits to the first answer that counts it, in milliseconds.
type freshness struct {
	P50, P99, HitsPerSecond float64
}

const (
	freshWriters = 2
	freshBatch   = 250
	freshRate    = 10_000 // hits a second, of all writers together
)

// batch is an acknowledged batch: when, and how many visitors its writer had written by then.
type batch struct {
	acknowledged time.Time
	visitors     int
}

// observation is an answer: when it arrived, and how many sessions of each writer it counted.
type observation struct {
	at     time.Time
	counts []int
}

// measureFreshness writes hits into a day that no question covers, while a reader counts them without pause. A writer
// commits one batch after the other, so the count of its tag tells which batches an answer includes.
func measureFreshness(ctx context.Context, s *server, db *store.Store, site int64, day int, duration time.Duration) (f freshness, err error) {
	writers, answers := make([][]batch, freshWriters), []observation(nil)
	done := make(chan struct{})
	begin := time.Now()
	group, ctx := errgroup.WithContext(ctx)
	var writing sync.WaitGroup
	for w := range freshWriters {
		writing.Add(1)
		group.Go(func() error {
			defer writing.Done()
			var err error
			writers[w], err = writeSteadily(ctx, db, site, day, w, begin, duration)
			return err
		})
	}
	group.Go(func() error {
		writing.Wait()
		select {
		case <-time.After(time.Second): // lets the reader count the last batches
		case <-ctx.Done():
		}
		close(done)
		return nil
	})
	group.Go(func() error {
		for {
			select {
			case <-done:
				return nil
			default:
			}
			counts, err := countWriters(ctx, s, day)
			if err != nil {
				return err
			}
			answers = append(answers, observation{time.Now(), counts})
		}
	})
	if err := group.Wait(); err != nil {
		return f, err
	}
	var delays []float64
	last, batches := begin, 0
	for w, written := range writers {
		next := 0
		for _, b := range written {
			for next < len(answers) && answers[next].counts[w] < b.visitors {
				next++
			}
			if next == len(answers) {
				return f, fmt.Errorf("freshness: hits were not counted a second after they were acknowledged: %d sessions of writer %d", b.visitors, w)
			}
			delays = append(delays, max(0, millis(answers[next].at.Sub(b.acknowledged))))
			batches++
			if b.acknowledged.After(last) {
				last = b.acknowledged
			}
		}
	}
	slices.Sort(delays)
	return freshness{
		P50: delays[len(delays)/2], P99: delays[len(delays)*99/100],
		HitsPerSecond: float64(batches*freshBatch) / last.Sub(begin).Seconds(),
	}, nil
}

// writeSteadily writes batches of page views at a steady rate. Each visitor has five, which may fall into two batches.
func writeSteadily(ctx context.Context, db *store.Store, site int64, day, writer int, begin time.Time, duration time.Duration) (batches []batch, err error) {
	const hitsOfVisitor = 5
	const pause = time.Second * freshWriters * freshBatch / freshRate
	midnight := (firstDay + model.Day(day)).Start()
	tag := fmt.Sprintf("writer-%d", writer)
	hits := 0
	for n := 0; time.Since(begin) < duration; n++ {
		if wait := time.Until(begin.Add(time.Duration(n) * pause)); wait > 0 {
			select {
			case <-time.After(wait):
			case <-ctx.Done():
				return batches, ctx.Err()
			}
		}
		messages := make([]model.Message, freshBatch)
		for i := range messages {
			visitor, hit := hits/hitsOfVisitor, hits%hitsOfVisitor
			name := fmt.Sprintf("fresh-%d-%d", writer, visitor)
			messages[i] = model.Message{AnonymousID: name, Hit: model.Hit{
				ID: model.MessageIDOf(name, fmt.Sprint(hit)), At: midnight + model.Millis(visitor*100+hit*1000), Kind: model.PageView,
				Name: fmt.Sprintf("/page/%d", hits%100), Tags: []string{tag}, Origin: model.Origin{Country: "RO", EntryPage: "/"}, Knows: model.KnowsAll,
			}}
			hits++
		}
		if _, err := db.Write(ctx, site, messages); err != nil {
			return batches, err
		}
		batches = append(batches, batch{time.Now(), (hits + hitsOfVisitor - 1) / hitsOfVisitor})
	}
	return batches, nil
}

func countWriters(ctx context.Context, s *server, day int) (counts []int, err error) {
	query := "query($site: ID!, $range: TimeRange!) { site(id: $site) { "
	for w := range freshWriters {
		query += fmt.Sprintf("w%d: sessionCount(filters: [{tags: {all: [\"writer-%d\"]}}], range: $range) ", w, w)
	}
	at := firstDay + model.Day(day)
	var data struct{ Site map[string]int }
	err = s.ask(ctx, query+"} }", map[string]any{"site": s.site, "range": rangeOf(model.Range{From: at.Start(), To: (at + 1).Start()})}, &data)
	for w := range freshWriters {
		counts = append(counts, data.Site[fmt.Sprintf("w%d", w)])
	}
	return counts, err
}
