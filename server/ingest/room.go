package ingest

import (
	"io"
	"net/http"
	"slices"
	"sync/atomic"
)

// room bounds the memory that requests hold together.
type room struct {
	bytes int64
	taken atomic.Int64
}

// claim is what one request holds of a room.
type claim struct {
	room  *room
	bytes int64
}

// messageBytes is about what a message takes in memory beside its text.
const messageBytes = 1 << 10

// grow takes more room, or refuses the request where there is none.
func (c *claim) grow(bytes int) error {
	c.bytes += int64(bytes)
	if c.room.taken.Add(int64(bytes)) > c.room.bytes {
		return refusef(http.StatusServiceUnavailable, "too many messages are arriving at once, so nothing was kept; send them again")
	}
	return nil
}

func (c *claim) release() { c.room.taken.Add(-c.bytes) }

// readAll reads to the end, taking room as it goes: a sender holds no more than what
// he has sent.
func (c *claim) readAll(reader io.Reader) (all []byte, err error) {
	for {
		if len(all) == cap(all) {
			more := max(4<<10, cap(all))
			if err := c.grow(more); err != nil {
				return nil, err
			}
			all = slices.Grow(all, more)
		}
		n, err := reader.Read(all[len(all):cap(all)])
		all = all[:len(all)+n]
		if err == io.EOF {
			return all, nil
		}
		if err != nil {
			return nil, err
		}
	}
}
