package host

import (
	"cmp"
	"slices"
)

// Set holds the filter types loaded at one moment. It never changes: an operation sees
// the same types from beginning to end, whatever happens to the plugins' files. Whoever
// acquires a set releases it once.
type Set struct {
	// Number counts the sets of the host, from 0.
	Number uint64

	host    *Host
	types   []*Type
	byName  map[string]*Type
	workers []*worker
	// users are guarded by host.mu.
	users int
}

func newSet(h *Host, workers []*worker) *Set {
	s := &Set{host: h, byName: map[string]*Type{}, workers: workers}
	for _, w := range workers {
		s.types = append(s.types, w.types...)
	}
	slices.SortFunc(s.types, func(a, b *Type) int { return cmp.Compare(a.Name, b.Name) })
	for _, t := range s.types {
		s.byName[t.Name] = t
	}
	return s
}

// Release gives the set back. Its plugins stop if no other set has them.
func (s *Set) Release() {
	s.host.mu.Lock()
	defer s.host.mu.Unlock()
	s.host.release(s)
}

// Types returns the set's filter types by name.
func (s *Set) Types() []*Type { return slices.Clone(s.types) }

// Type returns the filter type of the name.
func (s *Set) Type(name string) (*Type, bool) {
	t, ok := s.byName[name]
	return t, ok
}
