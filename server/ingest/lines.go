package ingest

import (
	"encoding/binary"
	"strconv"

	"github.com/goalgraph/goalgraph/model"
)

// lineWindow is how many distinct lines a generation of Lines holds.
const lineWindow = 1 << 18

// Lines names the lines of one file: by their bytes, and by their number among
// the equal lines before.
//
// It counts exactly within a window of the last 262,144 distinct lines, and
// takes some 20 MB however long the file is. Equal lines have equal times, and
// a server writes them next to each other, so that they are never that far apart
// but in a file that was shuffled.
type Lines struct {
	window int
	// Counts of the current generation of lines, and of the one before it, by 64
	// bits of their hash.
	young, old map[uint64]uint32
}

// NewLines returns Lines for one file.
func NewLines() *Lines {
	return &Lines{window: lineWindow, young: map[uint64]uint32{}}
}

// ID returns the id of the next line.
func (l *Lines) ID(line string) model.MessageID {
	first := model.MessageIDOf(line, "0")
	key := binary.LittleEndian.Uint64(first[:])
	count, ok := l.young[key]
	if !ok {
		count = l.old[key]
		if len(l.young) >= l.window {
			l.old, l.young = l.young, make(map[uint64]uint32, l.window)
		}
	}
	l.young[key] = count + 1
	if count == 0 {
		return first
	}
	return model.MessageIDOf(line, strconv.FormatUint(uint64(count), 10))
}
