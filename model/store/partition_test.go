package store_test

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"

	"github.com/uptrace/bun"

	"github.com/goalgraph/goalgraph/model"
	"github.com/goalgraph/goalgraph/model/count"
	"github.com/goalgraph/goalgraph/model/engine"
	"github.com/goalgraph/goalgraph/model/filter"
	"github.com/goalgraph/goalgraph/model/store/storetest"
)

// statements counts statements.
type statements struct{ n atomic.Int64 }

func (s *statements) BeforeQuery(ctx context.Context, _ *bun.QueryEvent) context.Context {
	s.n.Add(1)
	return ctx
}

func (*statements) AfterQuery(context.Context, *bun.QueryEvent) {}

// Many small partitions whose columns are not stored take few statements.
func TestStatementsOfSmallPartitions(t *testing.T) {
	t.Parallel()
	storetest.Databases(t, func(t *testing.T, url string) {
		st := mustOpen(t, url)
		for _, test := range []struct{ days, sessions int }{{2000, 1}, {100, 20}} {
			site := mustCreateSite(t, st, fmt.Sprintf("s%d.example", test.days))
			var batch []model.Message
			for n := range test.days * test.sessions {
				hit := model.Hit{ID: model.MessageIDOf(fmt.Sprint(n)), At: model.Day(n / test.sessions).Start(), Kind: model.PageView, Name: "/"}
				batch = append(batch, model.Message{AnonymousID: fmt.Sprint(n), Hit: hit})
			}
			if _, err := st.Write(t.Context(), site.ID, batch); err != nil {
				t.Fatal(err)
			}
			counter := &statements{}
			subject, err := engine.New(st.WithHook(counter), engine.Options{})
			if err != nil {
				t.Fatal(err)
			}
			answers, err := subject.Count(t.Context(), []count.Question{
				{Site: site.ID, In: model.Range{From: -model.Open, To: model.Open}, Where: filter.In{Field: filter.Pages, Values: []string{"/"}}},
				{Site: site.ID, In: model.Range{From: -model.Open, To: model.Open}, Where: filter.Bool(true), Visitors: true},
			})
			if err != nil {
				t.Fatal(err)
			}
			if want := test.days * test.sessions; answers[0].Sessions != want || answers[1].Visitors != want {
				t.Errorf("%+v, want %d", answers, want)
			}
			const most = 12 // the partitions, and 256 of them each
			if n := counter.n.Load(); n > most {
				t.Errorf("%+v took %d statements, more than %d", test, n, most)
			}
			subject.Close()
		}
	})
}
