package host

import "time"

// pause is how long to wait before the next start.
type pause struct {
	first, last, next time.Duration
}

// after returns the pause after a process that lived that long.
func (p *pause) after(lived time.Duration) time.Duration {
	if p.next == 0 || lived >= p.last {
		p.next = p.first
	}
	now := p.next
	p.next = min(2*p.next, p.last)
	return now
}
