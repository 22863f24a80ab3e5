package count

import (
	"encoding/binary"
	"math"
	"slices"
	"strconv"

	"github.com/RoaringBitmap/roaring/v2/roaring64"
	"github.com/maypok86/otter/v2"

	"github.com/goalgraph/goalgraph/model"
	"github.com/goalgraph/goalgraph/model/store"
)

// answers keeps whole answers in the process: that of a question is known while
// all partitions of its range are as they were.
type answers struct {
	known *otter.Cache[answerKey, knownAnswer]
	layer layer
}

// knownAnswer is an answer, and of one over all partitions but the newest the visitors, where
// they are asked for.
type knownAnswer struct {
	Answer
	visitors *roaring64.Bitmap
}

// weight is about how many bytes it takes.
func (k knownAnswer) weight() uint32 {
	n := 200 + 8*uint64(len(k.Steps))
	if k.visitors != nil {
		n += k.visitors.GetSizeInBytes()
	}
	return uint32(min(n, math.MaxUint32))
}

// answerKey names content: the partitions with their revisions, and the question.
type answerKey struct{ partitions, asked [16]byte }

func newAnswers(bytes uint64) (*answers, error) {
	known, err := otter.New(&otter.Options[answerKey, knownAnswer]{
		MaximumWeight: bytes,
		Weigher:       func(_ answerKey, answer knownAnswer) uint32 { return answer.weight() },
	})
	return &answers{known: known, layer: layer{name: "answers"}}, err
}

// name gives the tallies the keys of their answers over partitions that hold all of
// their ranges, and over all of these but the newest.
func (a *answers) name(partitions []store.Partition, tallies []*tally) {
	type state struct{ all, older [16]byte }
	states := map[model.Range]state{} // most questions are about one range
	for _, t := range tallies {
		in := t.question.In
		known, found := states[in]
		if !found {
			known = state{stateOf(partitions, t), stateOf(partitions[:len(partitions)-1], t)}
			states[in] = known
		}
		older := t.whole
		if t.question.Visitors { // which are kept instead of their number
			older = askedOf(string(t.whole[:]), "visitors")
		}
		t.wholeKey, t.olderKey = answerKey{known.all, t.whole}, answerKey{known.older, older}
	}
}

// stateOf is the hash of the partitions that the question's range touches.
func stateOf(partitions []store.Partition, t *tally) [16]byte {
	var state []byte
	for i := range partitions {
		if t.touches(partitions[i].Day) {
			state = binary.LittleEndian.AppendUint64(state, uint64(partitions[i].ID))
			state = binary.LittleEndian.AppendUint64(state, uint64(partitions[i].Revision))
		}
	}
	return askedOf(string(state))
}

// hash is of all that the question says; text is its predicate's.
func (q *Question) hash(text string) [16]byte {
	var steps []byte
	for _, step := range q.Steps {
		steps = binary.LittleEndian.AppendUint64(steps, uint64(step))
	}
	number := func(n int64) string { return strconv.FormatInt(n, 10) }
	return askedOf(text, q.Value, number(q.Site), number(int64(q.In.From)), number(int64(q.In.To)), strconv.FormatBool(q.Visitors), string(steps))
}

// get fills in the answer where it is known, and its visitors where these are kept: they
// are others' too.
func (a *answers) get(key answerKey, to *Answer, visitors **roaring64.Bitmap) bool {
	answer, found := a.known.GetIfPresent(key)
	if !found {
		a.layer.misses.Add(1)
		return false
	}
	a.layer.hits.Add(1)
	*to = answer.Answer
	to.Steps = slices.Clone(answer.Steps) // the caller's own
	if visitors != nil {
		*visitors = answer.visitors
	}
	return true
}

// set keeps an answer, and its visitors where there are any, which do not change any more.
func (a *answers) set(key answerKey, answer *Answer, visitors *roaring64.Bitmap) {
	kept := knownAnswer{*answer, visitors}
	kept.Steps = slices.Clone(answer.Steps)
	a.known.Set(key, kept)
}
