package check

import (
	"fmt"

	"github.com/goalgraph/goalgraph/model"
	"github.com/goalgraph/goalgraph/model/filter"
	"github.com/goalgraph/goalgraph/plugins"
	"github.com/goalgraph/goalgraph/plugins/pb"
)

// merged is the answer to a merge.
type merged struct {
	active, goal compiled
	// kind is "args", "both", "empty", or "" for an answer that must not be given.
	kind, args string
}

func (m merged) same(other merged) bool { return m.kind == other.kind && m.args == other.args }

func (m merged) String() string {
	if m.kind == "args" {
		return excerpt(m.args)
	}
	return m.kind
}

func (t *typeChecker) ask(active, goal compiled) (merged, *fault) {
	m := merged{active: active, goal: goal}
	response, f := call(t.checker, t.client.Merge, &pb.MergeRequest{Type: t.Name, Active: active.args, Goal: goal.args})
	if f != nil {
		return m, f
	}
	switch result := response.GetResult().(type) {
	case *pb.MergeResponse_Args:
		m.kind, m.args = "args", result.Args
	case *pb.MergeResponse_Both:
		m.kind = "both"
	case *pb.MergeResponse_Empty:
		m.kind = "empty"
	case *pb.MergeResponse_ActiveError:
		return m, &fault{"refused the active filter: " + words(result.ActiveError), contradicts}
	case *pb.MergeResponse_GoalError:
		return m, &fault{"refused the goal's filter: " + words(result.GoalError), contradicts}
	default:
		return m, &fault{"answered neither arguments nor both nor empty", "Fill one of these fields of MergeResponse; both is always right."}
	}
	return m, nil
}

const contradicts = "Accept in Merge whatever Compile accepts. Servers only merge filters that compile."

// How many pairs are merged, and how many sessions each merge is tried on.
const (
	pairs          = 150
	sessionsOfPair = 150
)

// checkMerges holds merges against the two filters that they stand for.
func (t *typeChecker) checkMerges(r *Result) {
	if !t.merges {
		switch t.Rule {
		case plugins.Last:
			r.Tried = "LAST: servers use the goal's filter"
		case plugins.Custom:
			r.find("Implement Merge, or choose INTERSECTION or UNION: without Merge, both filters must hold.",
				"The rule is CUSTOM, but there is no Merge.")
		default:
			r.Tried = string(t.Rule) + " without Merge: servers keep both filters"
		}
		return
	}
	count := map[string]int{}
	n := len(t.accepted)
	for i := range min(pairs, n*n) {
		if t.faults >= maxFaults {
			break
		}
		// First each with itself.
		a, g := t.accepted[i%n], t.accepted[i%n]
		if i >= n {
			g = t.accepted[t.random.IntN(n)]
		}
		m, f := t.ask(a, g)
		if f != nil {
			f.report(r, asked("Merge", a.args, g.args))
			continue
		}
		t.merged = append(t.merged, m)
		count[m.kind]++
		t.checkMerge(r, m)
	}
	r.Tried = fmt.Sprintf("%s: %d pairs became one filter, %d stayed two, %d exclude each other, on %d sessions each",
		t.Rule, count["args"], count["both"], count["empty"], sessionsOfPair)
}

func (t *typeChecker) checkMerge(r *Result, m merged) {
	merge := asked("Merge", m.active.args, m.goal.args)
	a, g := m.active.predicate, m.goal.predicate
	switch m.kind {
	case "both":
		return
	case "empty":
		on, _ := find(newSampler(t.random, a, g), func(match []bool) bool { return match[0] && match[1] }, a, g)
		if on != nil && t.Rule != plugins.Custom {
			r.find("Answer empty (in Go, plugins.ErrEmpty) only if no session can match both. If you cannot tell, both (plugins.ErrBoth) is right.",
				"%s answered empty, but %s matches both.", merge, tell(on, a, g))
		}
		return
	}
	if len(m.args) > maxArgs {
		r.find("Answer both (in Go, plugins.ErrBoth) if one filter would be too long.", "%s answered arguments of %d bytes; the maximum is %d.", merge, len(m.args), maxArgs)
		return
	}
	one, f := t.compile(t.Name, m.args)
	if f != nil {
		f.report(r, asked("Compile", m.args))
		return
	}
	if one.refused != nil {
		r.find("Answer arguments that compile. Answer empty (in Go, plugins.ErrEmpty) if nothing is left, and both (plugins.ErrBoth) if no single filter says it.",
			"%s answered %s, which Compile refuses: %s.", merge, m, words(one.refused))
		return
	}
	broken := func(match []bool) bool { return match[0] != (match[1] && match[2]) }
	advice := "A session must match the merged filter if and only if it matches both filters. If no single filter says that, answer both (in Go, plugins.ErrBoth)."
	switch t.Rule {
	case plugins.Custom:
		return
	case plugins.Last:
		broken = func(match []bool) bool { return match[0] != match[2] }
		advice = "The rule LAST means the goal's filter, unchanged. Leave Merge out, as servers do not call it, or choose the rule CUSTOM."
	}
	on, match := find(newSampler(t.random, a, g, one.predicate), broken, one.predicate, a, g)
	if on == nil {
		return
	}
	r.find(advice, "%s answered %s, which %s %s; %s.", merge, m, verb(match[0]), tell(on, one.predicate, a, g), sides(match[1], match[2]))
}

func verb(match bool) string {
	if match {
		return "matches"
	}
	return "does not match"
}

// sides words which of the two filters match.
func sides(active, goal bool) string {
	switch {
	case active && goal:
		return "both filters do"
	case active:
		return "the goal's filter does not"
	case goal:
		return "the active filter does not"
	}
	return "neither filter does"
}

// find returns a session for which the predicates match in a way that is wrong,
// and how they match; nil where none is found.
func find(of *sampler, wrong func(matches []bool) bool, exprs ...filter.Expr) (*model.Session, []bool) {
	matches := make([]bool, len(exprs))
	for range sessionsOfPair {
		s := of.session()
		for i, e := range exprs {
			matches[i] = e.Match(s)
		}
		if wrong(matches) {
			return s, matches
		}
	}
	return nil, nil
}
