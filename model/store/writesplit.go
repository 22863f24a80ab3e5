package store

import (
	"cmp"
	"fmt"
	"maps"
	"slices"

	"github.com/goalgraph/goalgraph/model"
)

// wideBatch is the error of a write whose hits lie so far apart among those of a visitor that what is between them should not be
// read at once. Its parts are to be written one after the other: the order does not matter.
type wideBatch struct{ parts [][]model.Message }

func (b *wideBatch) Error() string {
	return fmt.Sprintf("the batch is to be written in %d parts", len(b.parts))
}

// split divides the batch where hits of visitors that are folded again lie too far apart among their sessions, which are ordered by
// start; nil if none do.
func (w *writer) split(visitors []*writtenVisitor, sessions map[int64][]model.Session) error {
	partOf, last := map[model.MessageID]int{}, 0
	for _, v := range visitors {
		for part, hits := range windows(v.hits, sessions[v.id]) {
			for i := range hits {
				partOf[hits[i].ID] = part
			}
			last = max(last, part)
		}
	}
	if last == 0 {
		return nil
	}
	wide := wideBatch{parts: make([][]model.Message, last+1)}
	for _, message := range w.batch {
		part := partOf[message.Hit.ID]
		wide.parts[part] = append(wide.parts[part], message)
	}
	return &wide
}

// windows divides hits by time so that the sessions around each part have at most maxRefolded hits, as far as hits of one instant
// allow.
func windows(hits []model.Hit, sessions []model.Session) (parts [][]model.Hit) {
	total := 0
	for i := range sessions {
		total += sessions[i].Hits
	}
	if total <= maxRefolded || len(hits) < 2 {
		return nil
	}
	// began and ended count the hits of sessions by their starts and ends.
	type count struct {
		at   model.Millis
		hits int
	}
	counts := func(at func(*model.Session) model.Millis) []count {
		list := make([]count, len(sessions))
		for i := range sessions {
			list[i] = count{at(&sessions[i]), sessions[i].Hits}
		}
		slices.SortFunc(list, func(a, b count) int { return cmp.Compare(a.at, b.at) })
		for i := 1; i < len(list); i++ {
			list[i].hits += list[i-1].hits
		}
		return list
	}
	before := func(list []count, at model.Millis) int {
		if n, _ := slices.BinarySearchFunc(list, at, func(c count, at model.Millis) int { return cmp.Compare(c.at, at) }); n > 0 {
			return list[n-1].hits
		}
		return 0
	}
	began := counts(func(s *model.Session) model.Millis { return s.Start })
	ended := counts(func(s *model.Session) model.Millis { return s.End })
	hits = slices.SortedFunc(slices.Values(hits), model.Hit.Compare)
	first := 0
	for i := range hits {
		from, to := hits[first].At, hits[i].At
		if from < to && before(began, to+model.SessionGap+1)-before(ended, from-model.SessionGap) > maxRefolded {
			parts, first = append(parts, hits[first:i]), i
		}
	}
	return append(parts, hits[first:])
}

// add takes in what became of a further part of a batch.
func (w *Written) add(part Written) {
	w.Duplicates += part.Duplicates
	w.Expired += part.Expired
	w.Truncated += part.Truncated
	for dimension, n := range part.Overflows {
		if w.Overflows == nil {
			w.Overflows = map[string]int{}
		}
		w.Overflows[dimension] += n
	}
	byDay := map[model.Day]Partition{}
	for _, partition := range slices.Concat(w.Partitions, part.Partitions) {
		byDay[partition.Day] = partition
	}
	w.Partitions = slices.SortedFunc(maps.Values(byDay), func(a, b Partition) int { return cmp.Compare(a.Day, b.Day) })
}
