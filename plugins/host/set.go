package host

import (
	"cmp"
	"slices"
)

// Set is the filter types that were loaded at one moment. It does not change: an
// operation that begins with a set sees the same types until it ends, whatever
// becomes of the plugins' files. Whoever acquired it releases it once.
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

// Release lets the set's plugins end where they are no longer loaded.
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
