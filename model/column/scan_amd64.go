package column

import "golang.org/x/sys/cpu"

// vectorized tells whether the processor can run the functions below.
var vectorized = cpu.X86.HasAVX2

// scan8 sets the bits of the first 64×n elements of a list that are at least low and at
// most low + span. n is at least 1, low + span has no carry.
//
//go:noescape
func scan8(words *uint64, list *uint8, n int, low, span uint8)

// scan16 is scan8 for elements of 16 bits.
//
//go:noescape
func scan16(words *uint64, list *uint16, n int, low, span uint16)

// scan32 is scan8 for elements of 32 bits.
//
//go:noescape
func scan32(words *uint64, list *uint32, n int, low, span uint32)

// meet4 sets the first 4×n words to what from has in common with a and b, each with its
// bits turned where its flip has ones. n is at least 1.
//
//go:noescape
func meet4(words, from, a, b *uint64, n int, flipA, flipB uint64)
