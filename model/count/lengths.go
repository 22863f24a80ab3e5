package count

import (
	"math"
	"slices"
)

// A median is exact, and found in bounded memory: of few sessions the lengths are listed; of many they are counted in
// buckets, which say in which of them the median lies, and then the lengths in that bucket are counted one by one (window).

// bucketBits is how many bits of a length the bucket leaves open: the lengths of a day make 10,547 buckets, each of 8,192.
const bucketBits = 13

// lengths are the lengths, in milliseconds, of some sessions.
type lengths struct {
	n int64
	// listed are the lengths themselves, as long as there are no more than most.
	most   int
	listed []uint32
	// buckets count the lengths of each bucket, once there are too many to list.
	buckets []uint32
}

func (l *lengths) add(list []uint32) {
	l.n += int64(len(list))
	if l.buckets == nil && l.n <= int64(l.most) {
		l.listed = append(l.listed, list...)
		return
	}
	l.fill(l.listed)
	l.listed = nil
	l.fill(list)
}

func (l *lengths) fill(list []uint32) {
	for _, length := range list {
		l.bucket(int(length>>bucketBits), 1)
	}
}

func (l *lengths) bucket(bucket int, n uint32) {
	if more := bucket + 1 - len(l.buckets); more > 0 {
		l.buckets = append(l.buckets, make([]uint32, more)...)
	}
	l.buckets[bucket] += n
}

// merge adds other lengths, which stay as they are.
func (l *lengths) merge(other *lengths) {
	if other.buckets == nil {
		l.add(other.listed)
		return
	}
	if l.buckets == nil {
		l.fill(l.listed)
		l.listed = nil
	}
	l.n += other.n
	for bucket, n := range other.buckets {
		if n > 0 {
			l.bucket(bucket, n)
		}
	}
}

func (l *lengths) bytes() int { return 4 * (cap(l.listed) + cap(l.buckets)) }

// median returns the median, 0 of no lengths. ok is false where only the bucket is known that the lower middle lies in.
func (l *lengths) median() (median float64, bucket uint32, ok bool) {
	if l.buckets == nil {
		if l.n == 0 {
			return 0, 0, true
		}
		sorted := slices.Sorted(slices.Values(l.listed))
		return middle(sorted[(l.n-1)/2], sorted[l.n/2]), 0, true
	}
	var below int64
	for bucket, n := range l.buckets {
		if below += int64(n); below > (l.n-1)/2 {
			return 0, uint32(bucket), false
		}
	}
	return 0, 0, false // never: n is the sum of the buckets
}

func middle(lower, upper uint32) float64 { return (float64(lower) + float64(upper)) / 2 }

// window counts lengths one by one in the bucket that a median lies in, and what lies around it.
type window struct {
	from     uint32
	below, n int64
	inside   []uint32 // by the distance from the bucket's first length
	above    uint32   // the least length behind the bucket
}

func newWindow(bucket uint32) *window {
	return &window{from: bucket << bucketBits, inside: make([]uint32, 1<<bucketBits), above: math.MaxUint32}
}

func (w *window) add(list []uint32) {
	w.n += int64(len(list))
	for _, length := range list {
		switch {
		case length < w.from:
			w.below++
		case length-w.from < 1<<bucketBits:
			w.inside[length-w.from]++
		default:
			w.above = min(w.above, length)
		}
	}
}

// merge adds another window of the same bucket, which stays as it is.
func (w *window) merge(other *window) {
	w.n += other.n
	w.below += other.below
	w.above = min(w.above, other.above)
	for i, n := range other.inside {
		w.inside[i] += n
	}
}

func (w *window) bytes() int { return 4 * cap(w.inside) }

// median returns the median. ok is false where it does not begin in the window: what was counted has changed since the
// bucket was found.
func (w *window) median() (median float64, ok bool) {
	lower, found := w.at((w.n - 1) / 2)
	if !found {
		return 0, false
	}
	upper, found := w.at(w.n / 2)
	if !found {
		upper = w.above
	}
	return middle(lower, upper), true
}

// at returns the length of a rank, from 0 on, if it is in the window.
func (w *window) at(rank int64) (length uint32, found bool) {
	if rank < w.below {
		return 0, false
	}
	at := w.below
	for i, n := range w.inside {
		if at += int64(n); at > rank {
			return w.from + uint32(i), true
		}
	}
	return 0, false
}
