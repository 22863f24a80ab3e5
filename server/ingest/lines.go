package ingest

import (
	"encoding/binary"
	"math"
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

// placeWindow is how many distinct times a generation of Places holds.
const placeWindow = 1 << 14

// Places counts the lines of one file at each time, which orders those of one time.
//
// Servers write a line when the answer ends, with the time of its beginning or its end, so
// that the lines of a second may stand among those of others. Places counts exactly within
// a window of the last 16,384 distinct times, and takes some 1 MB however long the file is.
type Places struct {
	window     int
	last       model.Millis
	count      int32 // of last
	young, old map[model.Millis]int32
}

// NewPlaces returns Places for one file.
func NewPlaces() *Places {
	return &Places{window: placeWindow, young: map[model.Millis]int32{}}
}

// Next returns the place of the next line, which is at the time: how many lines of that
// time go before it.
func (p *Places) Next(at model.Millis) int32 {
	if at != p.last || p.count == 0 {
		p.put(p.last, p.count)
		count, ok := p.young[at]
		if !ok {
			count = p.old[at]
		}
		p.last, p.count = at, count
	}
	place := p.count
	if p.count < math.MaxInt32 {
		p.count++
	}
	return place
}

func (p *Places) put(at model.Millis, count int32) {
	if count == 0 {
		return
	}
	if _, ok := p.young[at]; !ok && len(p.young) >= p.window {
		p.old, p.young = p.young, make(map[model.Millis]int32, p.window)
	}
	p.young[at] = count
}
