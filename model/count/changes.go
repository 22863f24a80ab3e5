package count

// changes are the ordinals of a partition that were written lately, by which the sets
// of leaves are brought forward instead of being made anew.
type changes struct {
	// since is the revision from which on they are known.
	since   int64
	steps   []step
	written int // of all steps
}

// step is what took a partition to a revision from the one of the step before it.
type step struct {
	revision int64
	written  []uint32
}

// maxWritten bounds the ordinals that are kept: with more of them, it is faster to
// evaluate a leaf for all.
const maxWritten = 8192

// add adds what took the partition from one revision to another.
func (c *changes) add(from, to int64, written []uint32) {
	if from == 0 || len(written) > maxWritten {
		*c = changes{since: to}
		return
	}
	if len(c.steps) == 0 {
		c.since = from
	}
	c.steps = append(c.steps, step{to, written})
	c.written += len(written)
	for c.written > maxWritten {
		c.since, c.written = c.steps[0].revision, c.written-len(c.steps[0].written)
		c.steps = c.steps[1:]
	}
}

// after returns the ordinals that were written after a revision, some of them more
// than once. ok is false where that is not known.
func (c *changes) after(revision int64) (written []uint32, ok bool) {
	if revision < c.since || len(c.steps) == 0 {
		return nil, false
	}
	for i := range c.steps {
		if c.steps[i].revision > revision {
			written = append(written, c.steps[i].written...)
		}
	}
	return written, true
}
