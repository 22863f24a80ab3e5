package count

import (
	"crypto/sha256"
	"encoding/binary"
	"strconv"

	"github.com/goalgraph/goalgraph/model"
	"github.com/goalgraph/goalgraph/model/store"
)

// Fingerprint is 128 bits of a hash that tells contents apart.
type Fingerprint [16]byte

// FingerprintOf returns the fingerprint of a list of texts.
func FingerprintOf(texts ...string) (f Fingerprint) {
	hash := sha256.New()
	for _, text := range texts {
		var length [8]byte
		binary.LittleEndian.PutUint64(length[:], uint64(len(text)))
		hash.Write(length[:])
		hash.Write([]byte(text))
	}
	copy(f[:], hash.Sum(nil))
	return f
}

// fingerprint is of all that the question says; text is its predicate's.
func (q *Question) fingerprint(text string) Fingerprint {
	var steps []byte
	for _, step := range q.Steps {
		steps = binary.LittleEndian.AppendUint64(steps, uint64(step))
	}
	number := func(n int64) string { return strconv.FormatInt(n, 10) }
	return FingerprintOf(text, q.Value, number(q.Site), number(int64(q.In.From)), number(int64(q.In.To)), strconv.FormatBool(q.Visitors), string(steps))
}

// key returns the key of the question's partial aggregate in a partition. ok is false where that is more than an Entry
// says, distinct visitors or several steps of one day, or follows from more than the partition.
func (a *aggregate) key(p *store.Partition) (key Key, ok bool) {
	if a.question.Visitors || a.question.splits(p.Day) || !a.isLocal() {
		return Key{}, false
	}
	key = Key{Partition: p.ID, Revision: p.Revision, WrittenAt: p.WrittenAt, Fingerprint: a.partialFingerprint}
	if in := a.question.In; !in.Covers(p.Day) {
		from, to := max(in.From, p.Day.Start()), min(in.To, (p.Day+1).Start())
		key.Fingerprint = FingerprintOf(a.text, a.question.Value, strconv.FormatInt(int64(from), 10), strconv.FormatInt(int64(to), 10))
	}
	return key, true
}

// stateOf is the fingerprint of the partitions that a range touches, as they are.
func stateOf(partitions []store.Partition, in model.Range) Fingerprint {
	var state []byte
	for i := range partitions {
		if touches(in, partitions[i].Day) {
			state = binary.LittleEndian.AppendUint64(state, uint64(partitions[i].ID))
			state = binary.LittleEndian.AppendUint64(state, uint64(partitions[i].Revision))
		}
	}
	return FingerprintOf(string(state))
}

// touches tells whether a range touches a day.
func touches(in model.Range, day model.Day) bool {
	return day.Start() < in.To && in.From < (day+1).Start()
}
