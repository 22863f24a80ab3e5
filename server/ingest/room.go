package ingest

import (
	"io"
	"net/http"
	"net/netip"
	"slices"
	"sync"
)

// room bounds the memory that requests hold together, and what those of one holder have of it.
type room struct {
	// most is for all requests, and share for those of one holder, in bytes.
	most, share int64

	mu    sync.Mutex
	taken int64
	held  map[holder]int64
}

// holder is whose requests share a part of a room: the requests with one key, or from one network.
type holder struct {
	key     string
	network netip.Prefix
}

func newRoom(most, share int64) *room {
	return &room{most: most, share: share, held: map[holder]int64{}}
}

// take takes so many bytes more for requests of the holders; fewer, where the number is negative. It tells whether these
// have more than there is room for.
func (r *room) take(bytes int64, holders []holder) (isFull bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.taken += bytes
	isFull = r.taken > r.most
	for _, h := range holders {
		if r.held[h] += bytes; r.held[h] == 0 {
			delete(r.held, h)
		}
		isFull = isFull || r.held[h] > r.share
	}
	return isFull
}

// inUse returns how many bytes are taken.
func (r *room) inUse() int64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.taken
}

// claim is what one request holds of a room.
type claim struct {
	room    *room
	holders []holder
	bytes   int64
}

const (
	// messageBytes is about what a message takes in memory beside its text.
	messageBytes = 1 << 10
	// smallClaim is what a request gets whatever others hold, in bytes: enough for a body of 16 KiB with its messages.
	// Whoever sends large requests keeps nobody out who sends small ones.
	smallClaim = 64 << 10
)

// grow takes more room, or refuses the request where there is none.
func (c *claim) grow(bytes int) error {
	c.bytes += int64(bytes)
	if c.room.take(int64(bytes), c.holders) && c.bytes > smallClaim {
		return refusef(http.StatusServiceUnavailable, "too many messages are arriving at once, or too many with this key or from this address, so nothing was kept; send them again")
	}
	return nil
}

// move takes the same of another room, for other holders, or refuses the request.
func (c *claim) move(to *room, holders []holder) error {
	bytes := c.bytes
	c.release()
	*c = claim{room: to, holders: holders}
	return c.grow(int(bytes))
}

func (c *claim) release() { c.room.take(-c.bytes, c.holders) }

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
