package computed

import (
	"sync/atomic"
	"time"

	"github.com/goalgraph/goalgraph/model/partition"
)

// Figures say how computations have done so far.
type Figures struct {
	// Sessions were asked about, in Batches, of which Failed had no answer.
	Sessions, Batches, Failed int64
	// Time is what the answers took altogether.
	Time time.Duration
	// Running is how many computations are being filled in at the moment.
	Running int
	// Bytes is about how much memory the sets take.
	Bytes uint64
}

type counters struct{ sessions, batches, failed, time atomic.Int64 }

func (c *counters) add(sessions int, since time.Time, err error) {
	c.batches.Add(1)
	c.time.Add(int64(time.Since(since)))
	if err != nil {
		c.failed.Add(1)
		return
	}
	c.sessions.Add(int64(sessions))
}

// Figures returns the figures so far.
func (s *Sets) Figures() Figures {
	c := &s.counters
	return Figures{
		Sessions: c.sessions.Load(), Batches: c.batches.Load(), Failed: c.failed.Load(),
		Time: time.Duration(c.time.Load()), Running: s.countRunning(), Bytes: s.cache.Bytes(),
	}
}

// Meters count the sets that were loaded, built and brought forward.
func (s *Sets) Meters() []*partition.Meter { return s.cache.Meters() }
