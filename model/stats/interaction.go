package stats

import (
	"errors"
	"math"
)

// Interaction says whether an experiment's effect depends on the variant of another one that ran at the same time.
type Interaction struct {
	// LogOdds is by how much the other experiment's variant changes the effect, on the scale of log-odds; 0 is no interaction.
	LogOdds float64
	// Z is LogOdds by its standard error, and PValue that of no interaction, on both sides.
	Z, PValue float64
}

// Interact compares the effect of a variant in the two variants of another experiment: log-odds(bb) − log-odds(ab) − log-odds(ba) +
// log-odds(aa), with the variance Σ 1/c + 1/(n − c) (Woolf 1955, On estimating the relation between blood group and disease, Annals of Human
// Genetics 19; for experiments: Kohavi, Tang and Xu 2020, chapter 4). The first letter is this experiment's variant, the second the
// other one's. Where somewhere nobody or everybody converts, a half is added to all numbers (Haldane 1956; Anscombe 1956). It fails on
// counts that cannot be.
func Interact(aa, ba, ab, bb Count) (Interaction, error) {
	cells := []Count{aa, ba, ab, bb}
	half := 0.0
	for _, cell := range cells {
		if err := cell.check(); err != nil {
			return Interaction{}, err
		}
		if cell.Conversions == 0 || cell.Conversions == cell.Visitors {
			half = 0.5
		}
	}
	i, variance := Interaction{}, 0.0
	for n, sign := range []float64{1, -1, -1, 1} {
		yes, no := float64(cells[n].Conversions)+half, float64(cells[n].Visitors-cells[n].Conversions)+half
		i.LogOdds += sign * math.Log(yes/no)
		variance += 1/yes + 1/no
	}
	i.Z = i.LogOdds / math.Sqrt(variance)
	if math.IsNaN(i.Z) {
		return Interaction{}, errors.New("the counts are too large to compare")
	}
	i.PValue = math.Erfc(math.Abs(i.Z) / math.Sqrt2)
	return i, nil
}
