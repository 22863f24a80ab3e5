package stats

// Direction says which of two figures of a metric is the better one. The empty Direction is HigherIsBetter.
type Direction string

const (
	HigherIsBetter Direction = "HIGHER_IS_BETTER"
	LowerIsBetter  Direction = "LOWER_IS_BETTER"
)

// sign is 1 where higher is better, else −1.
func (d Direction) sign() float64 {
	if d == LowerIsBetter {
		return -1
	}
	return 1
}
