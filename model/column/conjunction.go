package column

import (
	mathbits "math/bits"
	"slices"

	"github.com/bits-and-blooms/bitset"
)

// conjunction is the sessions that count and are in all terms and pass all tests.
type conjunction struct {
	counting []uint64
	n        int // ordinals
	terms    []term
	tests    []func(ordinal int) bool
}

// term is a set: the words' bits, or with a flip of all ones those that are not set.
type term struct {
	words []uint64
	flip  uint64
}

// few is how many times less of the ordinals must be left for it to be faster to
// look at each of them than to evaluate a leaf for all: the set of a leaf that is
// evaluated for all serves other predicates too.
const few = 256

// conjunction returns what all parts have in common. What is known comes first, and
// what is made of lists of ordinals before what is made by a look at all.
func (s *Sessions) conjunction(parts []*Predicate, known Known) (*conjunction, error) {
	c := &conjunction{counting: s.counting().Words(), n: s.n, terms: make([]term, 0, len(parts))}
	var listed, others []*Predicate
	for _, part := range parts {
		bare, not := part.bare()
		switch set, found := known.Get(bare); {
		case found:
			c.add(set, not)
		case s.isListed(bare):
			listed = append(listed, part)
		default:
			others = append(others, part)
		}
	}
	left := s.n
	for _, part := range append(listed, others...) {
		if len(c.terms) > 0 && left > s.n/few {
			left = c.count()
		}
		if left == 0 {
			break
		}
		if left <= s.n/few {
			if err := known.Err(); err != nil {
				return nil, err
			}
			if tests, ok := s.tester(part); ok {
				c.tests = append(c.tests, tests)
				continue
			}
		}
		bare, not := part.bare()
		set, err := s.evaluate(bare, known)
		if err != nil {
			return nil, err
		}
		c.add(set, not)
	}
	return c, nil
}

// isListed tells whether a leaf is made from lists of ordinals.
func (s *Sessions) isListed(p *Predicate) bool {
	_, isInverted := s.columns[Dimension(p.field.Name)].(*invertedColumn)
	return p.values != nil && isInverted
}

func (c *conjunction) add(set Set, not bool) {
	t := term{words: set.Words()}
	if len(t.words) < len(c.counting) {
		t.words = append(slices.Clone(t.words), make([]uint64, len(c.counting)-len(t.words))...)
	}
	if not {
		t.flip = ^uint64(0)
	}
	c.terms = append(c.terms, t)
}

// set returns the sessions.
func (c *conjunction) set() Set {
	all := make([]uint64, len(c.counting))
	c.eachBlock(func(at int, words []uint64) { copy(all[at:], words) })
	return bitset.FromWithLength(uint(c.n), all)
}

// count returns how many there are.
func (c *conjunction) count() (n int) {
	c.eachBlock(func(_ int, words []uint64) {
		in := 0
		for _, word := range words {
			in += mathbits.OnesCount64(word)
		}
		n += in
	})
	return n
}

// eachBlock calls do with words of the sessions' set, as many at a time as stay in the
// processor's nearest cache, and the place of the first. They are not to be changed.
func (c *conjunction) eachBlock(do func(at int, words []uint64)) {
	block := make([]uint64, min(512, len(c.counting)))
	for at := 0; at < len(c.counting); at += len(block) {
		words := block[:min(len(block), len(c.counting)-at)]
		from, terms := c.counting[at:], c.terms
		for len(terms) > 0 { // two at a time: each time, words are fetched and stored
			a, b := terms[0], terms[min(1, len(terms)-1)]
			meet(words, from, a.words[at:], b.words[at:], a.flip, b.flip)
			from, terms = words, terms[min(2, len(terms)):]
		}
		from = from[:len(words)]
		if len(c.tests) > 0 {
			copy(words, from)
			c.test(at, words)
			from = words
		}
		do(at, from)
	}
}

// meet sets words to what from has in common with two terms.
func meet(words, from, a, b []uint64, flipA, flipB uint64) {
	from, a, b = from[:len(words)], a[:len(words)], b[:len(words)]
	done := 0
	if fours := len(words) / 4; vectorized && fours > 0 {
		meet4(&words[0], &from[0], &a[0], &b[0], fours, flipA, flipB)
		done = 4 * fours
	}
	for i := done; i < len(words); i++ {
		words[i] = from[i] & (a[i] ^ flipA) & (b[i] ^ flipB)
	}
}

// test clears the bits of ordinals that do not pass all tests.
func (c *conjunction) test(at int, words []uint64) {
	for i := range words {
		for left := words[i]; left != 0; left &= left - 1 {
			bit := mathbits.TrailingZeros64(left)
			fails := func(passes func(ordinal int) bool) bool { return !passes((at+i)*64 + bit) }
			if slices.ContainsFunc(c.tests, fails) {
				words[i] &^= 1 << bit
			}
		}
	}
}
