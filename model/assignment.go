package model

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
)

// Limits of assignment.
const (
	// MaxForced is the maximum number of visitors of an experiment whose variants are forced.
	MaxForced = 100
	// MaxVariantValue is the maximum length of a variant's value in bytes of JSON.
	MaxVariantValue = 4096
)

// AssignmentSource is who assigns visitors to variants.
type AssignmentSource string

const (
	// ExternalAssignment is by others, who tell of it by Experiment Viewed messages.
	ExternalAssignment AssignmentSource = "EXTERNAL"
	// GoalgraphAssignment is by Goalgraph, which is asked for the variant of each visitor.
	GoalgraphAssignment AssignmentSource = "GOALGRAPH"
)

// Layer is an experiment's part of a layer: a range of visitors. Experiments with ranges of one layer that do not overlap
// have no visitor in common.
type Layer struct {
	// Key names the layer on the site.
	Key string
	// From and To bound the range: 0 <= From < To <= 1. From belongs to it, To does not.
	From, To float64
}

// Overlaps tells whether two parts of layers may have visitors in common although they are of one layer.
func (l Layer) Overlaps(other Layer) bool {
	return l.Key == other.Key && l.From < other.To && other.From < l.To
}

// Holdout is the part of a site's visitors that takes part in no experiment that Goalgraph assigns.
type Holdout struct {
	// Share is the part of all visitors, 0 to 1.
	Share float64
	// Seed chooses them: the same share under another seed is other visitors.
	Seed string
}

// DefaultHoldoutSeed is the seed of a holdout without one.
const DefaultHoldoutSeed = "holdout"

// ForcedVariant gives someone who tests a variant, whoever takes part.
type ForcedVariant struct {
	// Visitor is the anonymousId or the userId.
	Visitor string `json:"visitor"`
	// Variant is the variant's key.
	Variant string `json:"variant"`
}

// ForcedOf returns the key of the variant that a visitor is forced to, or empty.
func (e *Experiment) ForcedOf(visitor string) string {
	for _, forced := range e.Forced {
		if forced.Visitor == visitor {
			return forced.Variant
		}
	}
	return ""
}

// checkAssignment brings what says how visitors are assigned into its canonical form.
func (e *Experiment) checkAssignment() error {
	switch e.Assignment {
	case "":
		e.Assignment = ExternalAssignment
	case ExternalAssignment, GoalgraphAssignment:
	default:
		return Invalid("assignment", "is %q; use EXTERNAL or GOALGRAPH", clip(string(e.Assignment)))
	}
	if e.Seed == "" {
		e.Seed = e.Key
	}
	if err := checkText("seed", &e.Seed, 1, MaxKey); err != nil {
		return err
	}
	if !isShare(e.TrafficShare) {
		return Invalid("trafficShare", "is %v; it must be 0 to 1, such as 0.5 for half of the visitors", e.TrafficShare)
	}
	if e.Layer != nil {
		layer := *e.Layer
		if err := checkText("key", &layer.Key, 1, MaxKey); err != nil {
			return Under("layer", err)
		}
		if !isShare(layer.From) || !isShare(layer.To) || layer.From >= layer.To {
			return Invalid("layer", "is from %v to %v; it must begin at 0 or later, end at 1 or earlier, and not be empty", layer.From, layer.To)
		}
		e.Layer = &layer
	}
	return e.checkForced()
}

// checkForced checks the forced variants.
func (e *Experiment) checkForced() error {
	if n := len(e.Forced); n > MaxForced {
		return Invalid("forcedVariants", "%d visitors are too many; the maximum is %d", n, MaxForced)
	}
	forced := slices.Clone(e.Forced)
	for i := range forced {
		f := &forced[i]
		at := fmt.Sprintf("forcedVariants[%d]", i)
		if err := checkText("visitor", &f.Visitor, 1, MaxTextBytes); err != nil {
			return Under(at, err)
		}
		if slices.ContainsFunc(forced[:i], func(other ForcedVariant) bool { return other.Visitor == f.Visitor }) {
			return Invalid(at+".visitor", "is given twice; give each visitor one variant")
		}
		if !e.hasVariant(f.Variant) {
			return e.noVariant(at+".variant", f.Variant)
		}
	}
	e.Forced = forced
	return nil
}

func isShare(x float64) bool { return x >= 0 && x <= 1 } // not NaN

// checkHoldout brings the holdout into its canonical form: nil where nobody is held out.
func (s *Site) checkHoldout() error {
	if s.Holdout == nil {
		return nil
	}
	holdout := *s.Holdout
	if !isShare(holdout.Share) {
		return Invalid("holdout.share", "is %v; it must be 0 to 1, such as 0.05 for 5 %% of the visitors", holdout.Share)
	}
	if holdout.Seed == "" {
		holdout.Seed = DefaultHoldoutSeed
	}
	if err := checkText("seed", &holdout.Seed, 1, MaxKey); err != nil {
		return Under("holdout", err)
	}
	if s.Holdout = &holdout; holdout.Share == 0 {
		s.Holdout = nil
	}
	return nil
}

// checkValue brings a variant's value into its canonical form: JSON without spaces, or empty for the key.
func (v *Variant) checkValue() error {
	if v.Value == "" {
		return nil
	}
	var compact bytes.Buffer
	if err := json.Compact(&compact, []byte(v.Value)); err != nil {
		return Invalid("value", "is not JSON: %v", err)
	}
	if compact.Len() > MaxVariantValue {
		return Invalid("value", "is %d bytes of JSON; the maximum is %d", compact.Len(), MaxVariantValue)
	}
	switch v.Value = compact.String(); v.Value[0] {
	case '[', 'n':
		return Invalid("value", "is a list or null, which no flag can be; use a string, a number, true, false or an object")
	}
	return nil
}

// JSON returns the variant's value as JSON: the key where it has none of its own.
func (v *Variant) JSON() json.RawMessage {
	if v.Value != "" {
		return json.RawMessage(v.Value)
	}
	text, _ := json.Marshal(v.Key) // of a text there is always JSON
	return text
}
