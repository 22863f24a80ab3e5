// Package allocation decides by hash which variant of an experiment a visitor sees.
//
// It keeps no state: the same visitor gets the same variant of every process and at any time. The hash, the ranges of the
// variants and the layers are those of GrowthBook's SDKs, so that a site which comes from there keeps its visitors'
// variants (https://docs.growthbook.io/lib/build-your-own).
package allocation

import "slices"

// Plan is how an experiment allocates visitors.
type Plan struct {
	// Seed tells the experiment's hashes from those of others.
	Seed string
	// Weights are the variants' intended shares, above 0: parts of all visitors where their sum is 1 within 1 %, as GrowthBook
	// takes them, and otherwise relative to each other.
	Weights []float64
	// Began are the weights with which the run began; nil where they are the same.
	Began []float64
	// Share is the part of all visitors that take part, 0 to 1. It may grow: whoever took part does so still, with the
	// same variant.
	Share float64
	// Layer is the experiment's part of a layer, or nil.
	Layer *Layer
	// Holdout is the part of the site's visitors that no experiment takes, or nil.
	Holdout *Holdout
}

// Layer is a range of visitors. Experiments with disjoint ranges of one layer have no visitor in common.
type Layer struct {
	Key string
	// From and To bound the range, 0 <= From <= To <= 1. From belongs to it, To does not.
	From, To float64
}

// has tells whether a visitor is in the range.
func (l Layer) has(id string) bool {
	return Range{l.From, l.To}.has(hash1("__"+l.Key, id))
}

// Holdout is a share of visitors, 0 to 1, under a seed.
type Holdout struct {
	Seed  string
	Share float64
}

// has tells whether a visitor is held out. The hash is none of an experiment's, even of one with the same seed: there, who is
// held out would be of the first variant only.
func (h Holdout) has(id string) bool { return Hash("__holdout:"+h.Seed, id) < h.Share }

// Exclusion is why a visitor gets no variant.
type Exclusion string

const (
	// Included is no exclusion.
	Included Exclusion = ""
	// ByHoldout takes visitors out of all experiments of the site.
	ByHoldout Exclusion = "HOLDOUT"
	// ByLayer leaves visitors to other experiments of the layer.
	ByLayer Exclusion = "LAYER"
	// ByAudience takes out who does not match the experiment's audience.
	ByAudience Exclusion = "AUDIENCE"
	// ByShare takes out who is beyond the share of visitors that take part.
	ByShare Exclusion = "SHARE"
)

// None is the index of no variant.
const None = -1

// Allocate returns the index of the visitor's variant, or None and why there is none. kept is the variant that the visitor
// had before, or None: it stands whatever share and weights are now, as long as the visitor matches the audience.
func (p Plan) Allocate(id string, kept int, inAudience bool) (int, Exclusion) {
	switch {
	case p.Holdout != nil && p.Holdout.has(id):
		return None, ByHoldout
	case p.Layer != nil && !p.Layer.has(id):
		return None, ByLayer
	case !inAudience:
		return None, ByAudience
	case kept != None:
		return kept, Included
	}
	began := p.Began
	if began == nil {
		began = p.Weights
	}
	variant := choose(Hash(p.Seed, id), Ranges(len(began), p.Share, fractions(began)))
	switch {
	case variant == None:
		return None, ByShare
	case !slices.Equal(fractions(began), fractions(p.Weights)):
		// Ranges of other weights begin elsewhere: they would take in visitors who took no part, and most of them for one variant. So
		// who takes part stays as it was, and another hash splits those who come new.
		variant = choose(Hash("__weights:"+p.Seed, id), Ranges(len(p.Weights), 1, fractions(p.Weights)))
	}
	return variant, Included
}

// Range is the hashes of one variant: From belongs to it, To does not.
type Range struct{ From, To float64 }

func (r Range) has(n float64) bool { return r.From <= n && n < r.To }

// Ranges returns the range of each variant. Shares that do not fit, because they are of another number of variants or because
// their sum is not 1 within 1 %, count as equal ones; coverage counts as 0 below 0 and as 1 above 1.
func Ranges(variants int, coverage float64, shares []float64) []Range {
	coverage = max(0, min(1, coverage))
	var sum float64
	for _, share := range shares {
		sum += share
	}
	if len(shares) != variants || !isWhole(sum) {
		shares = equal(variants)
	}
	ranges := make([]Range, variants)
	var start float64
	for i, share := range shares {
		ranges[i] = Range{start, start + coverage*share}
		start += share
	}
	return ranges
}

func equal(n int) []float64 {
	shares := make([]float64, max(0, n))
	for i := range shares {
		shares[i] = 1 / float64(n)
	}
	return shares
}

// isWhole tells whether the sum of shares is 1 within 1 %.
func isWhole(sum float64) bool { return 0.99 <= sum && sum <= 1.01 }

// fractions returns weights as shares. Those that are shares already stay as they are: divided by a sum that is 1 but for its
// rounding, a range could end a step earlier or later than GrowthBook's.
func fractions(weights []float64) []float64 {
	var sum float64
	for _, weight := range weights {
		sum += weight
	}
	if isWhole(sum) {
		return weights
	}
	parts := make([]float64, len(weights))
	for i, weight := range weights {
		parts[i] = weight / sum
	}
	return parts
}

func choose(n float64, ranges []Range) int {
	for i, r := range ranges {
		if r.has(n) {
			return i
		}
	}
	return None
}
