package count

import (
	"context"
	"errors"
	"runtime"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"

	"golang.org/x/sync/semaphore"

	"github.com/goalgraph/goalgraph/model"
	"github.com/goalgraph/goalgraph/model/column"
	"github.com/goalgraph/goalgraph/model/filter"
	"github.com/goalgraph/goalgraph/model/store"
)

// What many take of one memory is bounded together, and what they give back is there again.
func TestMemory(t *testing.T) {
	t.Parallel()
	m := &memory{most: 1000, refuse: errTooManyRows}
	var all sync.WaitGroup
	for range 10 {
		all.Go(func() {
			l := m.lend()
			defer l.end()
			for range 10 {
				if err := l.take(10); err != nil {
					t.Error(err)
				}
			}
			l.give(30)
		})
	}
	all.Wait()
	if n := m.taken.Load(); n != 0 {
		t.Fatalf("%d bytes are taken for good", n)
	}
	a, b := m.lend(), m.lend()
	if err := errors.Join(a.take(600), b.take(400)); err != nil {
		t.Error(err)
	}
	if err := b.take(1); model.CodeOf(err) != model.ResourceExhausted {
		t.Errorf("the byte beyond: %v", err)
	}
	a.end()
	if err := b.take(500); err != nil {
		t.Error(err)
	}
}

// An operation makes one breakdown at a time, and all together make what there is room for. Who stops waiting gives up its
// place.
func TestEnter(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		e := &ColumnEngine{room: semaphore.NewWeighted(100)}
		entered := map[string]func(){}
		var mu sync.Mutex
		enter := func(ctx context.Context, name string, bytes int) {
			go func() {
				leave, err := e.enter(ctx, bytes)
				if err != nil {
					leave = nil
				}
				mu.Lock()
				defer mu.Unlock()
				entered[name] = leave
			}()
			synctest.Wait()
		}
		expect := func(names ...string) {
			t.Helper()
			mu.Lock()
			defer mu.Unlock()
			if len(entered) != len(names) {
				t.Errorf("%d have entered, want %q", len(entered), names)
			}
			for _, name := range names {
				if entered[name] == nil {
					t.Errorf("%s has not entered", name)
				}
			}
		}
		forget := func(name string) (leave func()) {
			mu.Lock()
			defer mu.Unlock()
			leave = entered[name]
			delete(entered, name)
			return leave
		}
		leave := func(name string) {
			forget(name)()
			synctest.Wait()
		}
		many, other := WithTurn(t.Context()), WithTurn(t.Context())
		impatient, stop := context.WithCancel(other)
		enter(many, "first", 40)
		enter(many, "second", 40)
		expect("first")
		enter(other, "other", 50)
		expect("first", "other")
		leave("other")
		enter(impatient, "impatient", 80)
		expect("first")
		stop()
		synctest.Wait()
		forget("impatient")
		enter(other, "patient", 60)
		expect("first", "patient")
		leave("first")
		expect("second", "patient")
		leave("patient")
		enter(t.Context(), "without a turn", 30)
		enter(t.Context(), "another", 30)
		expect("second", "without a turn", "another")
		for _, name := range []string{"second", "without a turn", "another"} {
			leave(name)
		}
	})
}

// A breakdown enters by what it may take: by texts or with visitors of many sessions it is everything, and little where few
// rows count.
func TestMayTake(t *testing.T) {
	t.Parallel()
	e := &ColumnEngine{tableBytes: 64 << 20}
	hours := []Grouping{{Clock: HourOfDay}}
	goals := make([]GoalQuery, 500)
	reached := make([]GoalQuery, 500)
	for i := range reached {
		reached[i].Visitors = true
	}
	for _, test := range []struct {
		name        string
		q           BreakdownQuery
		sessions    int32
		least, most int
	}{
		{"texts", BreakdownQuery{By: []Grouping{{Field: filter.Pages}}}, 1 << 20, 64 << 20, 64 << 20},
		{"texts of few sessions", BreakdownQuery{By: []Grouping{{Field: filter.Pages}}}, 10, 1, 64 << 10},
		{"totals", BreakdownQuery{}, 1 << 30, 1, 1 << 10},
		{"hours", BreakdownQuery{By: hours}, 1 << 30, 1, 16 << 10},
		{"hours with goals", BreakdownQuery{By: hours, Goals: goals}, 1 << 30, 24 * 500 * goalSumBytes, 1 << 20},
		{"hours with visitors", BreakdownQuery{By: hours, Measures: []Measure{Visitors}}, 1 << 20, 8 << 20, 9 << 20},
		{"hours with the visitors of goals", BreakdownQuery{By: hours, Goals: reached}, 1 << 20, 64 << 20, 64 << 20},
	} {
		b := &breakdown{BreakdownQuery: &test.q, engine: e, partitions: []store.Partition{{Sessions: test.sessions}}}
		if got := b.mayTake(); got < test.least || got > test.most {
			t.Errorf("%s: %d bytes, want %d to %d", test.name, got, test.least, test.most)
		}
	}
}

// Of many rows with many goals only those of the page are made.
func TestRowsOfThePageAreMade(t *testing.T) { // alone: it looks at what is allocated
	q := BreakdownQuery{By: []Grouping{{Field: filter.Pages}}, Goals: make([]GoalQuery, 500), Limit: 2, Order: RowOrder{By: BySessions}}
	b := &breakdown{BreakdownQuery: &q, engine: &ColumnEngine{}, memory: &memory{most: 64 << 20, refuse: errTooManyRows}}
	sealed, head := &table{index: map[column.Name]int{}}, &table{index: map[column.Name]int{}}
	const rows = 5000
	for i := range rows {
		sealed.add(&tableRow{name: column.Name{strconv.Itoa(i)}, sessions: int64(i)})
		head.add(&tableRow{name: column.Name{strconv.Itoa(i)}, sessions: 1})
	}
	p := &pass{breakdown: b, tables: b.memory.lend()}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	found, open, err := b.find(p, sealed, head)
	page := b.page(found)
	runtime.ReadMemStats(&after)
	if err != nil || len(open) > 0 || len(found) != rows || len(page) != 2 || page[0].Values[0] != strconv.Itoa(rows-1) || page[0].Figure != rows {
		t.Fatalf("%d rows, %+v, %v", len(found), page, err)
	}
	if bytes := after.TotalAlloc - before.TotalAlloc; bytes > rows*1000 {
		t.Errorf("%d bytes a row", bytes/rows)
	}
}

// A question whose visitors are gathered later is not evaluated before.
func TestPutOffIsNotEvaluated(t *testing.T) {
	t.Parallel()
	a := &aggregate{question: &Question{Visitors: true}}
	a.gathering = &gathering{put: map[*aggregate]bool{a: true}}
	p := &partial{lookup: lookup{aggregate: a}}
	if err := p.count(nil, nil); err != nil { // which would need the columns
		t.Error(err)
	}
}

// Of many steps only those of a day are looked at, and each session is in the one that it is in among all.
func TestStepsOfADay(t *testing.T) {
	t.Parallel()
	const hour = model.Millis(60 * 60 * 1000)
	day := model.Day(16000)
	var hours []model.Millis
	for i := range model.Millis(10_000) {
		hours = append(hours, day.Start()-5000*hour+i*hour)
	}
	if first, some := stepsOf(hours, day); first != 5000 || len(some) != 25 {
		t.Errorf("%d hours from %d on", len(some), first)
	}
	half := day.Start() + 12*hour
	for _, steps := range [][]model.Millis{
		hours, {}, {half}, {half, half + 1}, {half, half, half + hour}, {day.Start(), (day + 1).Start()}, {0, half, 1 << 60}, {0, 1 << 60}, {0, 1, 2},
		{half, 1 << 59, 1 << 60}, {1 << 59, 1 << 60}, {0, day.Start()}, {day.Start() - 1, day.Start() + 1}, {0, 0, 1 << 60, 1 << 60},
	} {
		first, some := stepsOf(steps, day)
		for _, at := range []model.Millis{day.Start(), day.Start() + 1, half - 1, half, half + 1, half + hour, (day + 1).Start() - 1} {
			got, want := stepOf(some, at), stepOf(steps, at)
			if got >= 0 {
				got += first
			}
			if got != want {
				t.Errorf("%d of %d: step %d, want %d", at, steps[:min(len(steps), 4)], got, want)
			}
		}
	}
}
