package stats

import (
	"fmt"
	"math"
)

// DefaultWinsorQuantile is the quantile at which values are capped unless told otherwise.
const DefaultWinsorQuantile = 0.99

// Winsor is a cap on values, by which the largest few of them do not decide alone.
type Winsor struct {
	// Cap is the highest value that counts in full.
	Cap float64
	// Capped is how many values were higher.
	Capped int
}

// WinsorOf returns the cap at a quantile, in (0, 1), of the values above 0 of all variants together: so one cap holds for all of them, and no
// variant is favoured (Tukey 1962, The future of data analysis, Annals of Mathematical Statistics 33; the quantile is type 7 of Hyndman and Fan
// 1996, Sample quantiles in statistical packages, The American Statistician 50). Values that are not above 0 are passed over, and
// never capped. It takes time in proportion to the number of values, and changes their order. Without a value above 0 nothing is capped.
func WinsorOf(values []float64, quantile float64) (Winsor, error) {
	if !(quantile > 0 && quantile < 1) {
		return Winsor{}, fmt.Errorf("the quantile of a cap is %g; it must lie between 0 and 1", quantile)
	}
	above := values[:0]
	for i, value := range values {
		if value > 0 {
			values[i], values[len(above)] = values[len(above)], value
			above = values[:len(above)+1]
		}
	}
	if len(above) == 0 {
		return Winsor{Cap: math.MaxFloat64}, nil
	}
	w := Winsor{Cap: quantileOf(above, quantile)}
	for _, value := range above {
		if value > w.Cap {
			w.Capped++
		}
	}
	return w, nil
}

// Of returns the value that counts.
func (w Winsor) Of(value float64) float64 { return min(value, w.Cap) }

// quantileOf returns the type-7 quantile of values: between the two that lie around the place (n − 1) q, in proportion. It changes their order.
func quantileOf(values []float64, q float64) float64 {
	place := float64(len(values)-1) * q
	k := int(place)
	low := selected(values, k)
	if part := place - float64(k); part > 0 {
		high := values[k+1]
		for _, value := range values[k+2:] {
			high = min(high, value)
		}
		return low + part*(high-low)
	}
	return low
}

// selected returns the value with k others below it, and puts it there: those before it are not above it, those behind it not below (Hoare
// 1961, Algorithm 65: FIND; the pivot is the median of three).
func selected(values []float64, k int) float64 {
	low, high := 0, len(values)-1
	for low < high {
		a, b, c := values[low], values[low+(high-low)/2], values[high]
		pivot := max(min(a, b), min(max(a, b), c))
		i, j := low, high
		for i <= j {
			for values[i] < pivot {
				i++
			}
			for values[j] > pivot {
				j--
			}
			if i <= j {
				values[i], values[j] = values[j], values[i]
				i, j = i+1, j-1
			}
		}
		switch {
		case k <= j:
			high = j
		case k >= i:
			low = i
		default:
			return values[k]
		}
	}
	return values[k]
}
