package column

import (
	"encoding/binary"
	"fmt"
	"math"
)

// reader reads what columns write. The first thing that is wrong stays: from then
// on it reads zeros, so that a length is never more than what is there.
type reader struct {
	data []byte
	at   int // what was read
	err  error
}

func (r *reader) fail(what string) {
	if r.err == nil {
		r.err = fmt.Errorf("stored column: %s", what)
	}
	r.at = len(r.data)
}

// left is how many bytes are not read yet.
func (r *reader) left() int { return len(r.data) - r.at }

// number reads a number that is not negative.
func (r *reader) number() uint64 {
	if r.at < len(r.data) && r.data[r.at] < 0x80 { // most are small
		r.at++
		return uint64(r.data[r.at-1])
	}
	return r.longNumber()
}

func (r *reader) longNumber() uint64 {
	n, size := binary.Uvarint(r.data[r.at:])
	if size <= 0 {
		r.fail("it ends early")
		return 0
	}
	r.at += size
	return n
}

// signed reads a number in the zigzag form of binary.AppendVarint.
func (r *reader) signed() int64 {
	n := r.number()
	return int64(n>>1) ^ -int64(n&1)
}

// length reads how many things follow, each of which takes a byte at least.
func (r *reader) length() int {
	n := r.number()
	if n > uint64(r.left()) {
		r.fail("a length beyond the end")
		return 0
	}
	return int(n)
}

// count reads a number of ordinals.
func (r *reader) count() int {
	n := r.number()
	if n > math.MaxInt32 {
		r.fail("more ordinals than a partition has")
		return 0
	}
	return int(n)
}

// next reads n bytes.
func (r *reader) next(n int) []byte {
	if n < 0 || n > r.left() {
		r.fail("it ends early")
		return nil
	}
	r.at += n
	return r.data[r.at-n : r.at]
}

// put sets the element at i of a list that grows as needed.
func put[T any](list []T, i int, value T) []T {
	for len(list) <= i {
		var zero T
		list = append(list, zero)
	}
	list[i] = value
	return list
}

// at returns the element at i, the zero value beyond the end.
func at[T any](list []T, i int) (value T) {
	if i < len(list) {
		value = list[i]
	}
	return value
}
