// Package live tells subscribers that a site has changed, within a process or between
// processes through Redis.
//
// A change is only a hint to look at what is stored. A bus may lose changes, so
// subscribers also look by themselves from time to time. That is why Redis pub/sub is
// enough, although it keeps nothing for subscribers that are away.
package live

import "sync"

// Change says that something of a site was written: its sessions, or its definitions.
type Change struct {
	Site int64 `json:"site"`
}

// Bus carries changes from those who write to those who wait. A change may be
// missed, so it is a reason to look and never the thing to be looked at.
type Bus interface {
	// Publish tells of a change. It does not wait for anybody.
	Publish(change Change)
	// Subscribe calls do with the changes of all sites, one after another, until
	// cancel is called. While do runs, the changes of one site become one.
	Subscribe(do func(Change)) (cancel func())
}

// Memory is a Bus within the process.
type Memory struct {
	mu          sync.Mutex
	subscribers map[*subscriber]bool
}

// NewMemory returns a Memory without subscribers.
func NewMemory() *Memory { return &Memory{subscribers: map[*subscriber]bool{}} }

// Publish tells of a change.
func (m *Memory) Publish(change Change) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for s := range m.subscribers {
		s.put(change)
	}
}

// Subscribe calls do with changes.
func (m *Memory) Subscribe(do func(Change)) (cancel func()) {
	s := newSubscriber()
	m.mu.Lock()
	m.subscribers[s] = true
	m.mu.Unlock()
	go s.run(do)
	return func() {
		m.mu.Lock()
		delete(m.subscribers, s)
		m.mu.Unlock()
		s.end()
	}
}

// subscriber has the sites that have changed and that it is not told of yet.
type subscriber struct {
	mu      sync.Mutex
	waiting map[int64]bool
	order   []int64 // of the sites that wait
	wake    chan struct{}
	done    chan struct{}
	ended   sync.Once
}

func (s *subscriber) end() { s.ended.Do(func() { close(s.done) }) }

func newSubscriber() *subscriber {
	return &subscriber{waiting: map[int64]bool{}, wake: make(chan struct{}, 1), done: make(chan struct{})}
}

func (s *subscriber) put(change Change) {
	s.mu.Lock()
	if !s.waiting[change.Site] {
		s.waiting[change.Site] = true
		s.order = append(s.order, change.Site)
	}
	s.mu.Unlock()
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

func (s *subscriber) run(do func(Change)) {
	for {
		select {
		case <-s.done:
			return
		case <-s.wake:
		}
		for change, found := s.next(); found; change, found = s.next() {
			select {
			case <-s.done:
				return
			default:
				do(change)
			}
		}
	}
}

// next returns the change that has waited the longest; found is false where none waits.
func (s *subscriber) next() (change Change, found bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.order) == 0 {
		return Change{}, false
	}
	site := s.order[0]
	delete(s.waiting, site)
	s.order = s.order[1:]
	return Change{Site: site}, true
}
