package host

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/goalgraph/goalgraph/model"
	"github.com/goalgraph/goalgraph/model/filter"
	"github.com/goalgraph/goalgraph/plugins"
	"github.com/goalgraph/goalgraph/plugins/pb"
)

// Merged is an active segment's filters merged with a goal's.
type Merged struct {
	// Filters are in the order in which their types first appear, the active
	// segment's before the goal's; groups follow.
	Filters []MergedFilter
	// Empty tells that no session can match, so there is nothing to count.
	Empty bool
	// Predicate is simplified. It is false if Empty is set.
	Predicate filter.Expr
	// Label is the merged segment in words.
	Label string
}

// MergedFilter is one filter of a merged segment and where it came from.
type MergedFilter struct {
	// Type is nil for a group.
	Type *Type
	// Filter must hold; nil if Empty is set.
	Filter *model.FilterSpec
	// Active and Goal are the filters it comes from; nil if a side has none. Filters of
	// the same type within one side are merged before, by the same rule.
	Active, Goal *model.FilterSpec
	// Rule is empty for a group, which stands beside all else. Of equal groups there is one.
	Rule Rule
	// Empty tells that Active and Goal exclude each other. If only one is set, it
	// excludes another filter of its own side. A group excludes itself.
	Empty bool
}

// Merge merges the filters of an active segment with those of a goal, type by type,
// each by its type's rule; groups (model.AnyOf and so on) stay as they are. Without a goal
// it returns the segment on its own. Under the rules UNION and INTERSECTION, and whatever
// groups there are, the result matches exactly the sessions that match both sides.
//
// The errors are those of Compile, with the filter's place before the field:
// "active[0]" or "goal[0]".
//
// The result is shared, so callers must not change it.
func (s *Set) Merge(ctx context.Context, active, goal []model.FilterSpec) (*Merged, error) {
	name, known := s.mergeName(active, goal)
	if known {
		if merged, ok := s.host.merges.GetIfPresent(name); ok {
			return merged, nil
		}
	}
	merged, err := s.merge(ctx, active, goal)
	if err == nil && known {
		s.host.merges.Set(name, merged)
	}
	return merged, err
}

// mergeName names a merge by its filters and by the starts of the plugins involved. ok
// is false if a type is not loaded, or a segment not there.
func (s *Set) mergeName(active, goal []model.FilterSpec) (name string, ok bool) {
	n := naming{set: s, ok: true}
	n.list(active)
	n.list(goal)
	return string(n.name), n.ok
}

type naming struct {
	set  *Set
	name []byte
	ok   bool
}

func (n *naming) list(specs []model.FilterSpec) {
	n.number(len(specs))
	for i := range specs {
		n.filter(&specs[i])
	}
}

func (n *naming) filter(spec *model.FilterSpec) {
	n.text(spec.Type)
	switch t := n.set.byName[spec.Type]; {
	case t != nil:
		n.number(int(t.worker.generation()))
		n.text(string(spec.Args))
	case spec.Segment != nil:
		// The merged filters show the segment, and all that is known of it.
		n.number(int(spec.SegmentID))
		n.number(int(spec.Segment.UpdatedAt.UnixMilli()))
		n.text(spec.Segment.Name)
		n.list(spec.Segment.Filters)
	case len(spec.Parts) > 0:
		n.list(spec.Parts)
	default:
		n.ok = false
	}
}

func (n *naming) number(number int) { n.name = binary.AppendUvarint(n.name, uint64(number)) }

func (n *naming) text(text string) {
	n.number(len(text))
	n.name = append(n.name, text...)
}

func (s *Set) merge(ctx context.Context, active, goal []model.FilterSpec) (*Merged, error) {
	m := merging{set: s, ctx: ctx}
	filters, err := m.readAll([2][]model.FilterSpec{active, goal})
	if err != nil {
		return nil, err
	}
	sides := [2]map[*Type]*side{}
	var order []*Type
	var groups [2][]held
	for s := range filters {
		sides[s] = map[*Type]*side{}
		for _, f := range filters[s] {
			if f.typ == nil {
				groups[s] = append(groups[s], f)
				continue
			}
			if !slices.Contains(order, f.typ) {
				order = append(order, f.typ)
			}
			if sides[s][f.typ] == nil {
				sides[s][f.typ] = &side{}
			}
			if err := m.add(sides[s][f.typ], f); err != nil {
				return nil, err
			}
		}
	}
	for _, t := range order {
		if err := m.cross(t, sides[0][t], sides[1][t]); err != nil {
			return nil, err
		}
	}
	m.stand(groups)
	return m.result(), nil
}

// held is a filter with what it compiles to; a group has no type.
type held struct {
	typ  *Type
	spec model.FilterSpec
	Compiled
}

// side holds one side's filters of one type. All must hold.
type side struct {
	filters []held
	// empty tells that some exclude each other.
	empty bool
}

// merging is one merge in progress.
type merging struct {
	set     *Set
	ctx     context.Context
	entries []MergedFilter
	// parts and labels are those of the filters that must hold.
	parts  filter.And
	labels []string
	// conflicts are the labels of filters that exclude each other.
	conflicts []string
	empty     bool
}

// readAll reads the filters of both sides at the same time: a plugin is asked about each. The error is that of the first
// one that is refused.
func (m *merging) readAll(sides [2][]model.FilterSpec) (filters [2][]held, err error) {
	var errs [2][]error
	var reading sync.WaitGroup
	for s, specs := range sides {
		filters[s], errs[s] = make([]held, len(specs)), make([]error, len(specs))
		for i, spec := range specs {
			reading.Go(func() { filters[s][i], errs[s][i] = m.read(spec) })
		}
	}
	reading.Wait()
	for s, name := range [...]string{"active", "goal"} {
		for i, err := range errs[s] {
			if err != nil {
				return filters, model.Under(fmt.Sprintf("%s[%d]", name, i), err)
			}
		}
	}
	return filters, nil
}

func (m *merging) read(spec model.FilterSpec) (held, error) {
	if !model.IsFilterType(spec.Type) {
		compiled, err := m.set.compileGroup(m.ctx, &spec)
		return held{nil, spec, compiled}, err
	}
	t, err := m.set.loaded(spec.Type)
	if err != nil {
		return held{}, err
	}
	args, err := canonical(spec)
	if err != nil {
		return held{}, err
	}
	return m.hold(t, args)
}

func (m *merging) hold(t *Type, args string) (held, error) {
	compiled, err := m.set.compile(m.ctx, t, args)
	return held{t, model.FilterSpec{Type: t.Name, Args: json.RawMessage(args)}, compiled}, err
}

// add merges f into its side.
func (m *merging) add(s *side, f held) error {
	if f.typ.Rule == plugins.Last {
		s.filters = []held{f}
		return nil
	}
	if err := m.ctx.Err(); err != nil {
		return err
	}
	for i, before := range s.filters {
		merged, outcome, err := m.pair(before, f)
		if err != nil {
			return err
		}
		switch outcome {
		case one:
			s.filters[i] = merged
			return nil
		case empty:
			s.empty = true
		}
	}
	s.filters = append(s.filters, f)
	return nil
}

// cross merges the two sides of a type.
func (m *merging) cross(t *Type, active, goal *side) error {
	switch {
	case active == nil:
		active = &side{}
	case goal == nil:
		goal = &side{}
	case t.Rule == plugins.Last:
		a, g := active.filters[0], goal.filters[0]
		m.keep(g, &a, &g)
		return nil
	}
	if active.empty || goal.empty {
		m.alone(active, true)
		m.alone(goal, false)
		return nil
	}
	rest := slices.Clone(goal.filters)
	for _, a := range active.filters {
		merged := false
		for i, g := range rest {
			f, outcome, err := m.pair(a, g)
			if err != nil {
				return err
			}
			if outcome == both {
				continue
			}
			if outcome == one {
				m.keep(f, &a, &g)
			} else {
				m.exclude(t, &a, &g)
			}
			rest = slices.Delete(rest, i, i+1)
			merged = true
			break
		}
		if !merged {
			m.keep(a, &a, nil)
		}
	}
	for _, g := range rest {
		m.keep(g, nil, &g)
	}
	return nil
}

// stand lists the groups of both sides, of equal ones the first.
func (m *merging) stand(groups [2][]held) {
	at := map[string]int{} // the places of entries, by what the groups mean
	for s := range groups {
		for i := range groups[s] {
			f := &groups[s][i]
			meaning := f.Predicate.String()
			if place, found := at[meaning]; found {
				if entry := &m.entries[place]; s == 1 && entry.Goal == nil {
					entry.Goal = &f.spec
				}
				continue
			}
			at[meaning] = len(m.entries)
			a, g := f, (*held)(nil)
			if s == 1 {
				a, g = g, a
			}
			if f.Predicate == filter.Expr(filter.Bool(false)) {
				m.exclude(nil, a, g)
			} else {
				m.keep(*f, a, g)
			}
		}
	}
}

// alone lists the filters of a side that are not merged with the other side's.
func (m *merging) alone(s *side, active bool) {
	for _, f := range s.filters {
		a, g := &f, (*held)(nil)
		if !active {
			a, g = g, a
		}
		if s.empty {
			m.exclude(f.typ, a, g)
		} else {
			m.keep(f, a, g)
		}
	}
}

func (m *merging) keep(f held, active, goal *held) {
	m.entries = append(m.entries, MergedFilter{
		Type: f.typ, Filter: &f.spec, Active: specOf(active), Goal: specOf(goal), Rule: f.typ.rule(),
	})
	m.parts = append(m.parts, f.Predicate)
	m.labels = append(m.labels, f.Label)
}

func (m *merging) exclude(t *Type, active, goal *held) {
	m.entries = append(m.entries, MergedFilter{
		Type: t, Active: specOf(active), Goal: specOf(goal), Rule: t.rule(), Empty: true,
	})
	m.empty = true
	for _, f := range []*held{active, goal} {
		if f != nil {
			m.conflicts = append(m.conflicts, f.Label)
		}
	}
}

// rule returns the type's rule, and none without a type.
func (t *Type) rule() Rule {
	if t == nil {
		return ""
	}
	return t.Rule
}

func specOf(f *held) *model.FilterSpec {
	if f == nil {
		return nil
	}
	return &f.spec
}

func (m *merging) result() *Merged {
	merged := &Merged{Filters: m.entries, Empty: m.empty, Predicate: filter.Bool(false)}
	if !m.empty {
		merged.Predicate = filter.Simplify(m.parts)
		if merged.Predicate == filter.Expr(filter.Bool(false)) {
			merged.Empty, m.conflicts = true, m.labels
		}
	}
	switch {
	case merged.Empty && len(m.conflicts) > 1:
		merged.Label = "No session: " + strings.Join(m.conflicts, " and ") + " exclude each other"
	case merged.Empty:
		merged.Label = "No session: " + strings.Join(m.conflicts, " and ") + " excludes itself"
	case len(m.labels) == 0:
		merged.Label = "All sessions"
	default:
		merged.Label = strings.Join(m.labels, " and ")
	}
	return merged
}

// pair asks the type's plugin to merge two filters into one.
func (m *merging) pair(a, g held) (held, outcome, error) {
	t := a.typ
	if !t.merges {
		return held{}, both, nil
	}
	active, goal := string(a.spec.Args), string(g.spec.Args)
	q := question{typ: t, generation: t.worker.generation(), merge: true, active: active, goal: goal}
	said, err := m.set.host.memory.recall(q, func() (*answer, error) {
		return m.set.ask(m.ctx, t, active, goal)
	})
	if err != nil || said.outcome != one {
		return held{}, said.verdict(), err
	}
	f, err := m.hold(t, said.args)
	if model.CodeOf(err) == model.BadInput {
		err = t.worker.nonsense("Merge of %s answered arguments that Compile refuses: %w", t.Name, err)
	}
	return f, one, err
}

func (a *answer) verdict() outcome {
	if a == nil {
		return both
	}
	return a.outcome
}

// ask asks the plugin of t for a merge.
func (s *Set) ask(ctx context.Context, t *Type, active, goal string) (*answer, error) {
	response, err := call(ctx, t.worker,
		func(c pb.FilterPluginClient, ctx context.Context, q *pb.MergeRequest) (*pb.MergeResponse, error) {
			return c.Merge(ctx, q)
		}, &pb.MergeRequest{Type: t.Name, Active: active, Goal: goal})
	if err != nil {
		return nil, err
	}
	switch result := response.GetResult().(type) {
	case *pb.MergeResponse_Args:
		args, err := canonical(model.FilterSpec{Type: t.Name, Args: json.RawMessage(result.Args)})
		if err != nil {
			return nil, t.worker.nonsense("Merge of %s: %w", t.Name, err)
		}
		return &answer{outcome: one, args: args, bytes: len(args)}, nil
	case *pb.MergeResponse_Both:
		return &answer{outcome: both}, nil
	case *pb.MergeResponse_Empty:
		return &answer{outcome: empty}, nil
	}
	// Both sides compiled, so an argument error here contradicts the plugin itself.
	return nil, t.worker.nonsense("Merge of %s answered neither arguments, both nor empty", t.Name)
}
