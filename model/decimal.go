package model

import (
	"encoding/json"
	"fmt"
	"strings"
)

// Decimal is an event's value: a number with six digits behind the point, held in micro-units
// (1.5 is 1_500_000), of a magnitude below 9·10^12. Money in it is exact, where a float64
// would make 30.299999999999997 of 10.10 + 20.20.
type Decimal int64

// One is the decimal 1.
const One Decimal = 1_000_000

// decimalBound is what decimals lie below, in magnitude.
const decimalBound = 9_000_000_000_000 * One

// ParseDecimal reads a number as JSON writes it, and as people do in strings: a sign, digits
// with a point among, before or behind them, and an exponent; space around it is ignored. It
// is read digit by digit, and rounded half to even where more than six follow the point.
// The error says that the text is no number, or one that is too large.
func ParseDecimal(text string) (Decimal, error) {
	number, ok := scanNumber(text)
	if !ok {
		return 0, noNumber(text)
	}
	if sum, ok := number.micros(); ok {
		if d, ok := sum.Decimal(); ok && -decimalBound < d && d < decimalBound {
			return d, nil
		}
	}
	return 0, fmt.Errorf("%s is too large; a value lies between -9000000000000 and 9000000000000", clip(strings.TrimSpace(text)))
}

func noNumber(text string) error {
	if strings.TrimSpace(text) == "" {
		return fmt.Errorf("an empty text is not a number; write one like 49.99")
	}
	return fmt.Errorf("%q is not a number; write one like 49.99", clip(text))
}

// Sum returns the sum of the decimal alone.
func (d Decimal) Sum() Sum { return Sum{int64(d) >> 63, uint64(d)} }

// Float64 returns the nearest double.
func (d Decimal) Float64() float64 { return d.Sum().Float64() }

// String returns the shortest text that ParseDecimal reads as this decimal: 49.99, -0.5, 20.
func (d Decimal) String() string { return d.Sum().String() }

// MarshalJSON returns the decimal as a JSON number: String.
func (d Decimal) MarshalJSON() ([]byte, error) { return d.Sum().MarshalJSON() }

// UnmarshalJSON reads a JSON number, or a string that is a number, as ParseDecimal does.
func (d *Decimal) UnmarshalJSON(text []byte) (err error) {
	plain := string(text)
	if strings.HasPrefix(plain, `"`) {
		if err := json.Unmarshal(text, &plain); err != nil {
			return err
		}
	}
	*d, err = ParseDecimal(plain)
	return err
}
