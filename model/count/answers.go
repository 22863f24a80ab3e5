package count

import (
	"context"
	"slices"
	"time"

	"github.com/maypok86/otter/v2"

	"github.com/goalgraph/goalgraph/model"
	"github.com/goalgraph/goalgraph/model/partition"
	"github.com/goalgraph/goalgraph/model/store"
)

// answers keeps whole answers in the process: that of a question is known while all partitions of its range are as they
// were.
type answers struct {
	known *otter.Cache[answerKey, knownAnswer]
	meter partition.Meter
}

// knownAnswer is an answer or, over the sealed partitions, an answer with the visitors if these are asked for.
type knownAnswer struct {
	Answer
	visitors *visitors
}

// answerKey names content: the partitions with their revisions, and the question.
type answerKey struct{ state, question Fingerprint }

func newAnswers(bytes uint64) *answers {
	return &answers{meter: partition.Meter{Name: "answers"}, known: partition.Bounded(bytes, func(_ answerKey, k knownAnswer) uint64 {
		n := 200 + 8*uint64(len(k.Steps))
		if k.visitors != nil {
			n += k.visitors.bytes()
		}
		return n
	})}
}

// recall fills in the answers that are known, and what is known of the sealed partitions. It returns the aggregates
// that are to be made.
func (k *answers) recall(ctx context.Context, partitions []store.Partition, aggregates []*aggregate) (unknown []*aggregate) {
	begin := time.Now()
	type state struct{ all, sealed Fingerprint }
	states := map[model.Range]state{} // most questions are about one range
	for _, a := range aggregates {
		a.head = len(partitions) - 1
		if !a.isLocal() {
			unknown = append(unknown, a)
			continue
		}
		in := a.question.In
		known, found := states[in]
		if !found {
			known = state{StateOf(partitions, in), StateOf(partitions[:a.head], in)}
			states[in] = known
		}
		sealed := a.fingerprint
		if a.question.Visitors { // they are kept, in place of their number
			sealed = FingerprintOf(string(sealed[:]), "visitors")
		}
		a.answerKey, a.sealedKey = answerKey{known.all, a.fingerprint}, answerKey{known.sealed, sealed}
		if k.get(a.answerKey, a.answer, nil) {
			continue
		}
		a.sealedKnown = k.get(a.sealedKey, &a.sealed, &a.sealedVisitors)
		unknown = append(unknown, a)
	}
	k.meter.Add(ctx, len(aggregates)-len(unknown), len(unknown), begin)
	return unknown
}

// keep keeps the answers that were made.
func (k *answers) keep(aggregates []*aggregate) {
	for _, a := range aggregates {
		if a.err != nil || a.hasMoved || !a.isLocal() {
			continue
		}
		k.set(a.answerKey, a.answer, nil)
		if !a.sealedKnown {
			k.set(a.sealedKey, &a.sealed, a.sealedVisitors)
		}
	}
}

// get fills in an answer that is known, and its visitors where these are kept. They are others' too.
func (k *answers) get(key answerKey, to *Answer, into **visitors) bool {
	answer, found := k.known.GetIfPresent(key)
	if !found {
		return false
	}
	*to = answer.Answer
	to.Steps = slices.Clone(answer.Steps) // the caller's own
	if into != nil {
		*into = answer.visitors
	}
	return true
}

// set keeps an answer, with its visitors if there are any. They do not change any more.
func (k *answers) set(key answerKey, answer *Answer, with *visitors) {
	kept := knownAnswer{*answer, with}
	kept.Steps = slices.Clone(answer.Steps)
	k.known.Set(key, kept)
}
