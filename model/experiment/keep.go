package experiment

import (
	"math"

	"github.com/maypok86/otter/v2"

	"github.com/goalgraph/goalgraph/model/count"
)

// keep keeps what answers are made from, by fingerprints of what that was made from: assignment indexes and the visitors
// of sealed partitions, and what visitors did (*measured).
type keep struct {
	entries *otter.Cache[count.Fingerprint, weighed]
}

// weighed tells about how much memory it takes.
type weighed interface{ bytes() uint64 }

func newKeep(bytes uint64) (*keep, error) {
	entries, err := otter.New(&otter.Options[count.Fingerprint, weighed]{
		MaximumWeight: bytes,
		Weigher:       func(_ count.Fingerprint, w weighed) uint32 { return uint32(min(w.bytes(), math.MaxUint32)) },
	})
	return &keep{entries}, err
}

// kept returns what is kept by a fingerprint.
func kept[T weighed](k *keep, key count.Fingerprint) (value T, found bool) {
	if w, ok := k.entries.GetIfPresent(key); ok {
		value, found = w.(T)
	}
	return value, found
}
