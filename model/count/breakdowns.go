package count

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/maypok86/otter/v2"

	"github.com/goalgraph/goalgraph/model"
	"github.com/goalgraph/goalgraph/model/column"
	"github.com/goalgraph/goalgraph/model/filter"
	"github.com/goalgraph/goalgraph/model/partition"
	"github.com/goalgraph/goalgraph/model/store"
)

// breakdown is a breakdown on its way.
//
// A first pass over the partitions measures, of all rows, what their order follows from and what adds up. The rows of the
// page are chosen by it. What takes memory, visitors and medians, a second pass measures of these rows alone; medians of
// many sessions take a third one, which looks into the buckets that they lie in.
type breakdown struct {
	*BreakdownQuery
	engine *ColumnEngine
	// partitions are at the revisions that were read.
	partitions []store.Partition
	resolution Resolution
	isLocal    bool

	where      *column.Predicate
	goalWheres []*column.Predicate
	choices    [][]*column.Predicate // by grouping
	// predicates are the dimensions that where and the groupings need.
	predicates []column.Dimension
	// memory bounds what the passes take.
	memory *memory
	// counted is the fingerprint of which sessions are counted in which groups, and asked that of the question.
	counted, asked Fingerprint
}

// maxTries is how often a breakdown is made again because something was written between its passes. Writes that come
// faster than that may show in the figures of one pass alone.
const maxTries = 3

// maxTornTries is how often one that lacks a figure is made again.
const maxTornTries = 10

// Breakdown makes the rows of a breakdown from columns, and keeps them for as long as the partitions are as they were.
func (e *ColumnEngine) Breakdown(ctx context.Context, q BreakdownQuery) (Breakdown, error) {
	if len(q.By) > 0 && len(q.Rows) == 0 && (q.In.From >= q.In.To || q.Where == filter.Expr(filter.Bool(false))) {
		return Breakdown{Rows: []Row{}}, nil
	}
	b := &breakdown{BreakdownQuery: &q, engine: e, memory: &memory{most: e.tableBytes, refuse: errTooManyRows}}
	if err := b.plan(ctx); err != nil {
		return Breakdown{}, err
	}
	if known, found := e.breakdowns.get(ctx, b.key(), b.isLocal); found {
		return known.answer.clone(), nil
	}
	leave, err := e.enter(ctx, b.mayTake())
	if err != nil {
		return Breakdown{}, err
	}
	defer leave()
	if known, found := e.breakdowns.get(ctx, b.key(), b.isLocal); found { // made while this one waited
		return known.answer.clone(), nil
	}
	for try := 1; ; try++ {
		answer, state, err := b.make(ctx)
		switch {
		case err != nil:
			return Breakdown{}, err
		case state == whole && b.isLocal:
			e.breakdowns.set(b.key(), knownBreakdown{answer: answer})
			return answer.clone(), nil
		case state != torn && (state == whole || try >= maxTries):
			return *answer, nil
		case try >= maxTornTries:
			return Breakdown{}, model.Errorf(model.Unavailable, "sessions are written faster than they can be looked at twice; ask again")
		}
	}
}

// coherence says whether something was written between the passes of a breakdown.
type coherence int

const (
	// whole answers are of one moment.
	whole coherence = iota
	// mixed ones have rows, or medians beside other figures, of different moments.
	mixed
	// torn ones lack a median: it has moved to another bucket.
	torn
)

// plan reads the list of partitions, and makes the predicates ready.
func (b *breakdown) plan(ctx context.Context) (err error) {
	if b.In.From < b.In.To {
		if b.partitions, err = b.engine.store.Partitions(ctx, b.Site, b.In); err != nil {
			return err
		}
	}
	b.where = column.Prepare(b.Where)
	wheres, texts := []filter.Expr{b.Where}, []string{b.Where.String(), fmt.Sprint(b.Site, b.In.From, b.In.To)}
	b.predicates = append(b.where.Dimensions(), startDimension)
	for _, goal := range b.Goals {
		wheres, texts = append(wheres, goal.Where), append(texts, "goal", goal.Where.String(), goal.Event, strconv.FormatBool(goal.Visitors))
		b.goalWheres = append(b.goalWheres, column.Prepare(goal.Where))
	}
	b.choices = make([][]*column.Predicate, len(b.By))
	for i := range b.By {
		texts = append(texts, "by", b.By[i].text())
		b.predicates = append(b.predicates, column.DimensionsOf(b.By[i].Field)...)
		for _, choice := range b.By[i].Choices {
			wheres = append(wheres, choice.Where)
			prepared := column.Prepare(choice.Where)
			b.choices[i] = append(b.choices[i], prepared)
			b.predicates = append(b.predicates, prepared.Dimensions()...)
		}
	}
	slices.Sort(b.predicates)
	b.predicates = slices.Compact(b.predicates)
	b.counted = FingerprintOf(texts...)
	page := fmt.Sprint(b.Measures, b.Order, b.FromEnd, b.Limit) + fmt.Sprintf(" %q", b.Rows)
	for _, place := range []*RowPlace{b.After, b.Before} {
		if page += " "; place != nil {
			page += fmt.Sprintf("%v %q", place.Figure, place.Values)
		}
	}
	b.asked = FingerprintOf(string(b.counted[:]), page)
	if b.resolution, err = b.engine.matcher.Resolve(ctx, b.Site, wheres...); err != nil {
		return err
	}
	b.isLocal = b.resolution.IsLocal()
	return b.resolution.Ready(ctx, b.partitions)
}

// key is the key of the answer over the partitions as they were read.
func (b *breakdown) key() answerKey { return answerKey{StateOf(b.partitions, b.In), b.asked} }

// on returns a predicate for the sessions of a day that started in the range.
func (b *breakdown) on(day model.Day, where *column.Predicate) *column.Predicate {
	if b.In.Covers(day) {
		return where
	}
	return column.Prepare(within(where.Expr(), b.In, day))
}

// maxEarlyGoals is how many goals the first pass measures of all rows.
const maxEarlyGoals = 8

// make makes the answer.
func (b *breakdown) make(ctx context.Context) (*Breakdown, coherence, error) {
	first, isAll := b.firstPass()
	answer, state, err := b.answer(ctx, first)
	if err != nil || state == torn {
		return nil, state, err
	}
	if !isAll && len(answer.Rows) > 0 {
		second := b.passOver(valuesOf(answer.Rows))
		more, later, err := b.answer(ctx, second)
		if err != nil {
			return nil, later, err
		}
		if state = max(state, later); second.moved {
			state = max(state, mixed)
		}
		answer.Rows = more.Rows
	}
	for i := range answer.Rows {
		b.reduce(&answer.Rows[i])
	}
	return answer, state, nil
}

// mayTake is about how many bytes the breakdown takes at most.
func (b *breakdown) mayTake() int {
	if b.byTexts() {
		return b.engine.mayTake(b.partitions, valuesBytes)
	}
	rows := 1
	for i := range b.By {
		rows *= b.By[i].len()
	}
	sets := len(b.reached())
	for _, measure := range b.measured() {
		if measure == Visitors || measure == Median {
			sets++
		}
	}
	return min(bytesOfRows(rows, len(b.Goals))+b.engine.mayTake(b.partitions, sets*sessionBytes), b.engine.tableBytes)
}

// measured returns the measures of the rows: those that are asked for, and those that the order follows from.
func (b *breakdown) measured() []Measure {
	all := append(slices.Clone(b.Measures), b.Order.By.Measures()...)
	slices.Sort(all)
	return slices.Compact(all)
}

// passOver returns a pass that measures all that is asked for, of some rows alone.
func (b *breakdown) passOver(rows [][]string) *pass {
	p := &pass{breakdown: b, measures: b.measured(), goals: upTo(len(b.Goals))}
	p.reach(b.reached())
	p.choose(namesOf(rows))
	return p
}

// reached returns the places of the goals whose visitors are asked for.
func (b *breakdown) reached() (goals []int) {
	for i, goal := range b.Goals {
		if goal.Visitors {
			goals = append(goals, i)
		}
	}
	return goals
}

// firstPass returns the first pass, and whether it measures all that is asked for: where rows are named, where there are few
// by their nature, or where nothing takes memory.
func (b *breakdown) firstPass() (first *pass, isAll bool) {
	if len(b.Rows) > 0 {
		return b.passOver(b.Rows), true
	}
	first = &pass{breakdown: b, goals: upTo(len(b.Goals))}
	hasFewRows := !b.byTexts()
	if len(b.Goals) > maxEarlyGoals && !hasFewRows {
		if first.goals = nil; b.Order.ofGoal() {
			first.goals = []int{b.Order.Goal}
		}
	}
	needed := b.Order.By.Measures()
	for _, measure := range b.measured() {
		if hasFewRows || measure != Visitors && measure != Median || slices.Contains(needed, measure) {
			first.measures = append(first.measures, measure)
		}
	}
	reached := b.reached()
	switch {
	case hasFewRows:
		first.reach(reached)
	case b.Order.By == ByConvertedVisitors || b.Order.By == ByVisitorConversionRate:
		first.reach([]int{b.Order.Goal})
	}
	isAll = len(first.goals) == len(b.Goals) && len(first.reached) == len(reached) && !slices.ContainsFunc(b.measured(), func(m Measure) bool { return !slices.Contains(first.measures, m) })
	return first, isAll
}

func (o RowOrder) ofGoal() bool {
	return ByConversions <= o.By && o.By <= ByGoalValue
}

// upTo returns 0 to n-1.
func upTo(n int) []int {
	numbers := make([]int, n)
	for i := range numbers {
		numbers[i] = i
	}
	return numbers
}

// reach has the pass measure the visitors of goals, and so those of the rows among whom they are.
func (p *pass) reach(goals []int) {
	if p.reached = goals; len(goals) > 0 && !slices.Contains(p.measures, Visitors) {
		p.measures = append(p.measures, Visitors)
	}
}

// valuesOf returns the values of rows.
func valuesOf(rows []Row) [][]string {
	values := make([][]string, len(rows))
	for i := range rows {
		values[i] = rows[i].Values
	}
	return values
}

// namesOf returns the names of rows by their values.
func namesOf(rows [][]string) []column.Name {
	names := make([]column.Name, len(rows))
	for i, values := range rows {
		copy(names[i][:], values)
	}
	return names
}

// choose has the pass measure some rows alone.
func (p *pass) choose(rows []column.Name) {
	p.only, p.places = rows, make(map[column.Name]int, len(rows))
	slices.SortFunc(p.only, compareNames)
	for place, name := range p.only {
		p.places[name] = place
	}
}

// foundRow is a row that a pass has found: its place, and what a Row is made of if it is on the page.
type foundRow struct {
	RowPlace
	sealed, head *tableRow // nil where a table has none
	median       float64
}

// foundBytes is about what a foundRow takes.
const foundBytes = 64

// answer returns the page of the rows of a pass that have sessions or are named, with all that the pass measures.
func (b *breakdown) answer(ctx context.Context, p *pass) (answer *Breakdown, state coherence, err error) {
	p.tables = b.memory.lend()
	defer p.tables.end()
	sealed, head, err := p.tabulate(ctx)
	if err != nil {
		return nil, whole, err
	}
	rows, open, err := b.find(p, sealed, head)
	if err != nil {
		return nil, whole, err
	}
	if state, err = b.findMedians(ctx, rows, open); err != nil || state == torn {
		return nil, state, err
	}
	page := b.page(rows)
	answer = &Breakdown{Total: len(rows), Rows: make([]Row, len(page))}
	for i := range page {
		row := &answer.Rows[i]
		row.Values, row.Goals = slices.Clone(page[i].Values), make([]GoalCount, len(b.Goals))
		if found := &page[i]; found.sealed != nil || found.head != nil {
			b.fill(row, p, together(found.sealed, found.head))
			row.Median = found.median
		}
	}
	return answer, state, nil
}

// find returns the rows of two tables, and those that are named, in no order. The medians of open ones, which lie in buckets,
// are not known yet.
func (b *breakdown) find(p *pass, sealed, head *table) (rows []foundRow, open map[column.Name]uint32, err error) {
	named := b.Rows
	if len(b.By) == 0 {
		named = [][]string{{}}
	}
	most := len(sealed.rows) + len(head.rows) + len(named)
	if err := p.tables.take(most * foundBytes); err != nil {
		return nil, nil, err
	}
	rows, open = make([]foundRow, 0, most), map[column.Name]uint32{}
	row := Row{Goals: make([]GoalCount, len(b.Goals))} // each in turn
	each(sealed, head, func(inSealed, inHead *tableRow) {
		t := together(inSealed, inHead)
		if t.sessions == 0 && len(b.By) > 0 && len(b.Rows) == 0 {
			return
		}
		own := cmp.Or(inSealed, inHead) // not the sum, which takes more
		found := foundRow{RowPlace: RowPlace{Values: own.name[:len(b.By)]}, sealed: inSealed, head: inHead}
		if t.lengths != nil {
			var bucket uint32
			var isKnown bool
			if found.median, bucket, isKnown = t.lengths.median(); !isKnown {
				open[t.name] = bucket
			}
		}
		b.fill(&row, p, t)
		row.Median = found.median
		found.Figure = b.Order.PlaceOf(&row).Figure
		rows = append(rows, found)
	})
	none := b.Order.PlaceOf(&Row{Goals: make([]GoalCount, len(b.Goals))})
	for i, name := range namesOf(named) {
		if sealed.find(name) == nil && head.find(name) == nil {
			rows = append(rows, foundRow{RowPlace: RowPlace{Figure: none.Figure, Values: named[i]}})
		}
	}
	return rows, open, nil
}

// fill fills in what a pass has measured of a row, but its median.
func (b *breakdown) fill(row *Row, p *pass, t total) {
	row.Sessions, row.Visitors, row.PageViews, row.Bounces, row.Length = int(t.sessions), int(t.visitors), int(t.pageViews), int(t.bounces), t.length
	for i, goal := range p.goals {
		row.Goals[goal] = GoalCount{Conversions: int(t.goals[i].conversions), Visitors: int(t.converted[i]), Value: t.goals[i].value}
	}
}

// windowsAtOnce is how many medians are found at a time: each takes a window in both tables.
const windowsAtOnce = 256

// findMedians finds the medians of open rows, which are among others, in their buckets.
func (b *breakdown) findMedians(ctx context.Context, rows []foundRow, open map[column.Name]uint32) (state coherence, err error) {
	if len(open) == 0 {
		return whole, nil
	}
	medians := make(map[column.Name]float64, len(open))
	for some := range slices.Chunk(slices.SortedFunc(maps.Keys(open), compareNames), windowsAtOnce) {
		hasMoved, err := b.findIn(ctx, some, open, medians)
		if err != nil {
			return whole, err
		}
		if hasMoved {
			state = mixed
		}
	}
	if len(medians) < len(open) {
		return torn, nil
	}
	for i := range rows {
		var name column.Name
		copy(name[:], rows[i].Values)
		if median, found := medians[name]; found {
			if rows[i].median = median; b.Order.By == ByMedianLength {
				rows[i].Figure = median
			}
		}
	}
	return state, nil
}

// findIn finds the medians of some rows in their buckets, and tells whether partitions were read at other revisions than
// before.
func (b *breakdown) findIn(ctx context.Context, names []column.Name, buckets map[column.Name]uint32, medians map[column.Name]float64) (hasMoved bool, err error) {
	p := &pass{breakdown: b, measures: []Measure{Median}, buckets: buckets, tables: b.memory.lend()}
	defer p.tables.end()
	p.choose(names)
	sealed, head, err := p.tabulate(ctx)
	if err != nil {
		return false, err
	}
	each(sealed, head, func(inSealed, inHead *tableRow) {
		t := together(inSealed, inHead)
		if t.window == nil {
			return
		}
		if median, ok := t.window.median(); ok {
			medians[t.name] = median
		}
	})
	return p.moved, nil
}

// page returns the rows of the page, in their order.
func (b *breakdown) page(rows []foundRow) []foundRow {
	rows = slices.DeleteFunc(rows, func(row foundRow) bool { return !b.has(row.RowPlace) })
	slices.SortFunc(rows, func(x, y foundRow) int { return b.compare(x.RowPlace, y.RowPlace) })
	return rows[:min(len(rows), max(0, b.Limit))]
}

func compareNames(a, b column.Name) int { return slices.Compare(a[:], b[:]) }

// reduce leaves a row what is asked for.
func (b *breakdown) reduce(row *Row) {
	all := *row
	row.Visitors, row.PageViews, row.Bounces, row.Length, row.Median = 0, 0, 0, 0, 0
	for _, measure := range b.measured() {
		switch measure {
		case Visitors:
			row.Visitors = all.Visitors
		case PageViews:
			row.PageViews = all.PageViews
		case Bounces:
			row.Bounces = all.Bounces
		case Length:
			row.Length = all.Length
		case Median:
			row.Median = all.Median
		}
	}
}

// clone returns a copy that the caller may change.
func (d *Breakdown) clone() Breakdown {
	same := *d
	same.Rows = slices.Clone(d.Rows)
	for i := range same.Rows {
		same.Rows[i].Values, same.Rows[i].Goals = slices.Clone(same.Rows[i].Values), slices.Clone(same.Rows[i].Goals)
	}
	return same
}

// breakdowns keeps whole breakdowns, and tables over sealed partitions, while the partitions are as they were.
type breakdowns struct {
	known *otter.Cache[answerKey, knownBreakdown]
	meter partition.Meter
}

// knownBreakdown is a breakdown or a table. Neither changes any more.
type knownBreakdown struct {
	answer *Breakdown
	sealed *table
}

func newBreakdowns(bytes uint64) *breakdowns {
	return &breakdowns{meter: partition.Meter{Name: "breakdowns"}, known: partition.Bounded(bytes, func(_ answerKey, k knownBreakdown) uint64 {
		n := uint64(300)
		if k.sealed != nil {
			n += uint64(k.sealed.bytes)
		}
		if k.answer != nil {
			for _, row := range k.answer.Rows {
				n += 200 + 32*uint64(len(row.Goals))
				for _, value := range row.Values {
					n += uint64(len(value))
				}
			}
		}
		return n
	})}
}

// get returns what is kept of a key; nothing where what is asked for follows from more than the partitions.
func (k *breakdowns) get(ctx context.Context, key answerKey, isLocal bool) (known knownBreakdown, found bool) {
	begin := time.Now()
	if isLocal {
		known, found = k.known.GetIfPresent(key)
	}
	if found {
		k.meter.Add(ctx, 1, 0, begin)
	} else {
		k.meter.Add(ctx, 0, 1, begin)
	}
	return known, found
}

func (k *breakdowns) set(key answerKey, known knownBreakdown) { k.known.Set(key, known) }
