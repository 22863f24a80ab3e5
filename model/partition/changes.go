package partition

// changes are the ordinals that were written lately, by which sets of leaves catch up instead of being made anew.
type changes struct {
	// since is the revision from which on they are known.
	since   int64
	batches []batch
	written int // ordinals of all batches
}

// batch is the ordinals that were written between the revision of the batch before it and its own.
type batch struct {
	revision int64
	ordinals []uint32
}

// maxWritten bounds the ordinals that are kept. With more of them it is faster to evaluate a leaf for all sessions.
const maxWritten = 8192

// add notes the ordinals that were written between two revisions.
func (c *changes) add(from, to int64, ordinals []uint32) {
	if from == 0 || len(ordinals) > maxWritten {
		*c = changes{since: to}
		return
	}
	if len(c.batches) == 0 {
		c.since = from
	}
	c.batches = append(c.batches, batch{to, ordinals})
	c.written += len(ordinals)
	for c.written > maxWritten {
		c.since, c.written = c.batches[0].revision, c.written-len(c.batches[0].ordinals)
		c.batches = c.batches[1:]
	}
}

// after returns the ordinals that were written after a revision, some more than once. ok is false if that is unknown.
func (c *changes) after(revision int64) (ordinals []uint32, ok bool) {
	if revision < c.since || len(c.batches) == 0 {
		return nil, false
	}
	for i := range c.batches {
		if c.batches[i].revision > revision {
			ordinals = append(ordinals, c.batches[i].ordinals...)
		}
	}
	return ordinals, true
}
