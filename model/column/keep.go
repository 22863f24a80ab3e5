package column

import "slices"

// keep returns a column with what it holds of the sessions that count, and with nothing else: neither what others had before
// they were dropped or put anew, nor values and keys that no session has any more. What was erased is not to be stored again. It
// is the column itself where that holds nothing else.
func keep(c column, counting Set) column {
	switch c := c.(type) {
	case *dictionaryColumn:
		return c.keep(counting)
	case *invertedColumn:
		return c.keep(counting)
	case *integerColumn:
		return c.keep(counting)
	case *keyedColumn[*dictionaryColumn]:
		return c.keep(func(member *dictionaryColumn) (*dictionaryColumn, bool) {
			kept := member.keep(counting)
			return kept, len(kept.values) > 1
		})
	case *keyedColumn[*sparseColumn]:
		return c.keep(func(member *sparseColumn) (*sparseColumn, bool) {
			kept := member.keep(counting)
			return kept, len(kept.ordinals) > 0
		})
	}
	return c
}

func (c *dictionaryColumn) keep(counting Set) *dictionaryColumn {
	isUsed, isAll := make([]bool, len(c.values)), true
	isUsed[0] = true
	for i := range c.codes.len() {
		if counting.Test(uint(i)) {
			isUsed[c.codes.at(i)] = true
		} else {
			isAll = isAll && c.codes.at(i) == 0
		}
	}
	if isAll && !slices.Contains(isUsed, false) {
		return c
	}
	kept, codes := newDictionaryColumn(), make([]uint32, len(c.values))
	for code, value := range c.values {
		if code > 0 && isUsed[code] {
			codes[code] = kept.add(value)
		}
	}
	for i := range c.codes.len() {
		code := uint32(0)
		if counting.Test(uint(i)) {
			code = codes[c.codes.at(i)]
		}
		kept.codes.set(i, uint64(code))
	}
	return kept
}

func (c *invertedColumn) keep(counting Set) *invertedColumn {
	drops := func(ordinal uint32) bool { return !counting.Test(uint(ordinal)) }
	if !slices.ContainsFunc(c.postings, func(ordinals []uint32) bool { return len(ordinals) == 0 || slices.ContainsFunc(ordinals, drops) }) {
		return c
	}
	kept := &invertedColumn{n: c.n}
	for code, ordinals := range c.postings {
		if ordinals = slices.DeleteFunc(slices.Clone(ordinals), drops); len(ordinals) > 0 {
			kept.add(c.values[code])
			kept.postings = append(kept.postings, ordinals)
			kept.entries += len(ordinals)
		}
	}
	return kept
}

func (c *integerColumn) keep(counting Set) *integerColumn {
	isKept := func(i int) bool { return c.distances.at(i) == 0 || counting.Test(uint(i)) }
	i := 0
	for i < c.len() && isKept(i) {
		i++
	}
	if i == c.len() {
		return c
	}
	kept := &integerColumn{based: c.based, base: c.base, distances: newVector()}
	for i := range c.len() {
		distance := uint64(0)
		if isKept(i) {
			distance = c.distances.at(i)
		}
		kept.distances.set(i, distance)
	}
	return kept
}

func (c *sparseColumn) keep(counting Set) *sparseColumn {
	if !slices.ContainsFunc(c.ordinals, func(ordinal uint32) bool { return !counting.Test(uint(ordinal)) }) {
		return c
	}
	kept := &sparseColumn{}
	for i, ordinal := range c.ordinals {
		if counting.Test(uint(ordinal)) {
			kept.set(int(ordinal), c.at(i))
		}
	}
	return kept
}

// keep returns the column of what is kept of its members, without those of which nothing is.
func (c *keyedColumn[C]) keep(member func(C) (kept C, isSome bool)) *keyedColumn[C] {
	all := newKeyedColumn[C]()
	for key, whole := range c.members {
		if kept, isSome := member(whole); isSome {
			all.members[key] = kept
		}
	}
	return all
}
