package host

import (
	"github.com/maypok86/otter/v2"

	"github.com/goalgraph/goalgraph/model/filter"
)

// question is a call to a plugin. The answer is a pure function of it. goal is set for
// a merge.
type question struct {
	typ          *Type
	generation   int64
	merge        bool
	active, goal string
}

// answer is the plugin's answer.
type answer struct {
	// compiled is the answer to a filter.
	compiled Compiled
	// outcome and args are the answer to a merge.
	outcome outcome
	args    string
	// refused says what was wrong with the arguments; then nothing else is set.
	refused error
	bytes   int
}

type outcome int

const (
	one outcome = iota
	both
	empty
)

// memory remembers answers, within a limit of bytes.
type memory struct {
	answers *otter.Cache[question, *answer]
}

func newMemory(bytes uint64) *memory {
	return &memory{otter.Must(&otter.Options[question, *answer]{
		MaximumWeight: bytes,
		Weigher: func(q question, a *answer) uint32 {
			const fixed = 512
			return uint32(fixed + len(q.active) + len(q.goal) + a.bytes)
		},
	})}
}

// recall returns the remembered answer, or asks and remembers. It does not remember
// errors.
func (m *memory) recall(q question, ask func() (*answer, error)) (*answer, error) {
	if a, ok := m.answers.GetIfPresent(q); ok {
		return a, nil
	}
	a, err := ask()
	if err != nil {
		return nil, err
	}
	m.answers.Set(q, a)
	return a, nil
}

// newMerges returns a memory of whole merges, by their names.
func newMerges(bytes uint64) *otter.Cache[string, *Merged] {
	return otter.Must(&otter.Options[string, *Merged]{
		MaximumWeight: bytes,
		Weigher: func(name string, m *Merged) uint32 {
			const fixed = 512
			return uint32(fixed + 3*len(name) + len(m.Label) + treeBytes(m.Predicate))
		},
	})
}

// treeBytes estimates the memory of a predicate from its text.
func treeBytes(e filter.Expr) int { return 4 * len(e.String()) }
