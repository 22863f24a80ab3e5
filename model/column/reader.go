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
	err  error
}

func (r *reader) fail(what string) {
	if r.err == nil {
		r.err = fmt.Errorf("stored column: %s", what)
	}
	r.data = nil
}

// number reads a number that is not negative.
func (r *reader) number() uint64 {
	n, size := binary.Uvarint(r.data)
	if size <= 0 {
		r.fail("it ends early")
		return 0
	}
	r.data = r.data[size:]
	return n
}

func (r *reader) signed() int64 {
	n, size := binary.Varint(r.data)
	if size <= 0 {
		r.fail("it ends early")
		return 0
	}
	r.data = r.data[size:]
	return n
}

// length reads how many things follow, each of which takes a byte at least.
func (r *reader) length() int {
	n := r.number()
	if n > uint64(len(r.data)) {
		r.fail("a length beyond the end")
		return 0
	}
	return int(n)
}

// count reads a number of ordinals.
func (r *reader) count() int {
	n := r.number()
	if n > math.MaxInt32 {
		r.fail("more ordinals than a bucket has")
		return 0
	}
	return int(n)
}

// take reads n bytes.
func (r *reader) take(n int) []byte {
	if n < 0 || n > len(r.data) {
		r.fail("it ends early")
		return nil
	}
	part := r.data[:n]
	r.data = r.data[n:]
	return part
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
