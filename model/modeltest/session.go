// Package modeltest makes messages of a small population, and the sessions that messages are by the words of the rules
// (docs/visitors.md): slowly, with all of them at hand. Tests hold what is stored against these.
package modeltest

import (
	"context"
	"reflect"
	"testing"

	"github.com/goalgraph/goalgraph/model"
	"github.com/goalgraph/goalgraph/model/store"
)

// Stored returns a site's sessions that count, in the order of Sort and without the numbers that the database gives. It
// checks that each lies in its day's partition.
func Stored(tb testing.TB, st *store.Store, site int64) []model.Session {
	tb.Helper()
	partitions, err := st.Partitions(context.Background(), site, model.Range{From: -model.Open, To: model.Open})
	if err != nil {
		tb.Fatal(err)
	}
	var sessions []model.Session
	for _, partition := range partitions {
		err := st.EachSession(context.Background(), site, partition.ID, true, func(s *model.Session) error {
			if s.Start.Day() != partition.Day || s.ID.Partition != partition.ID || s.ID.Ordinal >= partition.Sessions {
				tb.Errorf("session %v of day %d stands in partition %+v", s.ID, s.Start.Day(), partition)
			}
			s.ID, s.Visitor = model.SessionID{}, 0
			sessions = append(sessions, *s)
			return nil
		})
		if err != nil {
			tb.Fatal(err)
		}
	}
	Sort(sessions)
	return sessions
}

// EqualSessions fails the test where sessions differ, which are in the order of Sort.
func EqualSessions(tb testing.TB, got, want []model.Session) {
	tb.Helper()
	if len(got) != len(want) {
		tb.Fatalf("%d sessions, want %d", len(got), len(want))
	}
	for i := range got {
		if !reflect.DeepEqual(got[i], want[i]) {
			tb.Fatalf("session %d:\n got %+v\nwant %+v", i, got[i], want[i])
		}
	}
}
