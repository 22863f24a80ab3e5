//go:build !amd64

package column

// vectorized tells that there are no such functions for this processor.
const vectorized = false

func scan8(*uint64, *uint8, int, uint8, uint8)     { panic("not for this processor") }
func scan16(*uint64, *uint16, int, uint16, uint16) { panic("not for this processor") }
func scan32(*uint64, *uint32, int, uint32, uint32) { panic("not for this processor") }

func meet4(words, from, a, b *uint64, n int, flipA, flipB uint64) { panic("not for this processor") }
