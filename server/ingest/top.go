package ingest

import (
	"cmp"
	"container/heap"
	"slices"
	"strings"
)

// topKept is how many texts a top keeps.
const topKept = 4096

// top counts the most frequent of any number of texts in bounded memory: the Space-Saving
// algorithm (Metwally, Agrawal and El Abbadi, 2005). Counts are exact as long as there are
// no more texts than it keeps; from then on a count may be too large by its excess, and no
// text that makes up more than 1/kept of all is missing.
type top struct {
	kept  int
	index map[string]*counted
	least countedHeap
}

// counted is how often a text came.
type counted struct {
	text   string
	count  int
	excess int
	at     int // in the heap
}

func newTop(kept int) *top { return &top{kept: kept, index: map[string]*counted{}} }

func (t *top) add(text string) {
	c, ok := t.index[text]
	switch {
	case ok:
		c.count++
	case len(t.least) < t.kept:
		c = &counted{text: strings.Clone(text), count: 1}
		t.index[c.text] = c
		heap.Push(&t.least, c)
		return
	default:
		c = t.least[0]
		delete(t.index, c.text)
		c.text, c.excess = strings.Clone(text), c.count
		c.count++
		t.index[c.text] = c
	}
	heap.Fix(&t.least, c.at)
}

// all returns the texts, the most frequent first, and those that are as frequent by name.
func (t *top) all() []counted {
	list := make([]counted, len(t.least))
	for i, c := range t.least {
		list[i] = *c
	}
	slices.SortFunc(list, func(a, b counted) int { return cmp.Or(cmp.Compare(b.count, a.count), cmp.Compare(a.text, b.text)) })
	return list
}

// countedHeap has the least frequent at its root.
type countedHeap []*counted

func (h countedHeap) Len() int           { return len(h) }
func (h countedHeap) Less(i, j int) bool { return h[i].count < h[j].count }
func (h countedHeap) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].at, h[j].at = i, j
}

// Push adds an element, for container/heap.
func (h *countedHeap) Push(x any) {
	c := x.(*counted)
	c.at = len(*h)
	*h = append(*h, c)
}

// Pop removes the last element, for container/heap.
func (h *countedHeap) Pop() any {
	old := *h
	c := old[len(old)-1]
	*h = old[:len(old)-1]
	return c
}
