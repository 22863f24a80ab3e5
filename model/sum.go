package model

import (
	"cmp"
	"fmt"
	"math"
	"math/bits"
	"strconv"
	"strings"
)

// Sum is a sum of decimals, in micro-units of 128 bits: it is exact, and the same in whatever
// order they are added. 10^19 of the largest decimals fit. The zero Sum is 0, and equal sums
// are equal by ==.
type Sum struct {
	high int64
	low  uint64
}

// The ends of what a Sum holds.
var (
	minSum = Sum{math.MinInt64, 0}
	maxSum = Sum{math.MaxInt64, math.MaxUint64}
)

// tooManyDigits is 10^38 micro-units, what 38 digits may be rounded up to.
var tooManyDigits = Sum{5421010862427522170, 687399551400673280}

// SumOfWords returns the sum of which Words returned the words.
func SumOfWords(high int64, low uint64) Sum { return Sum{high, low} }

// Words returns the two halves of the sum's micro-units, in two's complement.
func (s Sum) Words() (high int64, low uint64) { return s.high, s.low }

// SumOf returns the sum that a double names: its shortest decimal (the fewest digits that are
// read as this double), rounded half to even at six digits behind the point. So the double
// that is nearest to a sum of at most 15 digits is that sum: SumOf(30.3) is 30.30. What is
// beyond all sums, infinities too, becomes the last one on its side, and NaN 0.
func SumOf(number float64) Sum {
	if math.IsNaN(number) {
		return Sum{}
	}
	if math.Abs(number) < 1<<63 { // sums reach 1.7·10^32
		if whole := int64(number); float64(whole) == number && -1<<43 < whole && whole < 1<<43 {
			return Sum{whole >> 63, uint64(whole)}.times(uint64(One))
		}
	}
	var text [32]byte
	sum, err := ParseSum(string(strconv.AppendFloat(text[:0], number, 'e', -1, 64)))
	switch {
	case err == nil:
		return sum
	case number < 0:
		return minSum
	}
	return maxSum
}

// ParseSum reads a number as ParseDecimal does, of a magnitude below 10^32.
func ParseSum(text string) (Sum, error) {
	number, ok := scanNumber(text)
	if !ok {
		return Sum{}, noNumber(text)
	}
	sum, ok := number.micros()
	if !ok {
		return Sum{}, fmt.Errorf("%s is too large for a sum", clip(text))
	}
	return sum, nil
}

// number is a number's text, taken apart.
type number struct {
	negative bool
	// digits may have a point among them. The first one that is not 0 stands at first; from
	// there on there are significant digits. The number is 0 without any.
	digits             string
	first, significant int
	// whole is how many of the significant digits stand before the point of the number in
	// micro-units: negative where zeros follow that point.
	whole int
}

// maxExponent is more than the digits of any text that is read can make up for.
const maxExponent = 1 << 40

// scanNumber takes a number's text apart; ok is false where it is none.
func scanNumber(text string) (n number, ok bool) {
	text = strings.Trim(text, " \t\r\n")
	if text != "" && (text[0] == '-' || text[0] == '+') {
		n.negative, text = text[0] == '-', text[1:]
	}
	end, digits, behind, point, first := 0, 0, 0, false, -1
	for ; end < len(text); end++ {
		switch c := text[end]; {
		case c == '.' && !point:
			point = true
			continue
		case c < '0' || c > '9':
		default:
			digits++
			if point {
				behind++
			}
			if c != '0' && first < 0 {
				first = end
			}
			if first >= 0 {
				n.significant++
			}
			continue
		}
		break
	}
	exponent := 0
	if rest := text[end:]; rest != "" {
		if rest[0] != 'e' && rest[0] != 'E' {
			return n, false
		}
		if exponent, ok = scanExponent(rest[1:]); !ok {
			return n, false
		}
	}
	const micro = 6
	n.digits, n.first, n.whole = text[:end], first, n.significant-behind+exponent+micro
	return n, digits > 0
}

func scanExponent(text string) (exponent int, ok bool) {
	sign := 1
	if text != "" && (text[0] == '-' || text[0] == '+') {
		if text[0] == '-' {
			sign = -1
		}
		text = text[1:]
	}
	for i := range len(text) {
		if text[i] < '0' || text[i] > '9' {
			return 0, false
		}
		exponent = min(maxExponent, 10*exponent+int(text[i]-'0'))
	}
	return sign * exponent, text != ""
}

// micros returns the number in micro-units; ok is false where it is too large.
func (n *number) micros() (sum Sum, ok bool) {
	const most = 38 // digits, which take 127 bits
	if n.significant == 0 || n.whole < 0 {
		return sum, true // 0, or less than half a micro-unit
	}
	if n.whole > most {
		return sum, false
	}
	at, left := n.first, n.significant
	next := func() uint64 {
		if left == 0 {
			return 0
		}
		if n.digits[at] == '.' {
			at++
		}
		left, at = left-1, at+1
		return uint64(n.digits[at-1] - '0')
	}
	for range n.whole {
		sum = sum.times(10).Add(Sum{low: next()})
	}
	digit, rest := next(), false
	for left > 0 && !rest {
		rest = next() != 0
	}
	if digit > 5 || digit == 5 && (rest || sum.low%2 == 1) {
		sum = sum.Add(Sum{low: 1})
	}
	if n.negative {
		return sum.negated(), sum != tooManyDigits
	}
	return sum, sum != tooManyDigits
}

// times returns the sum that is n times as large, and must fit.
func (s Sum) times(n uint64) Sum {
	carry, low := bits.Mul64(s.low, n)
	return Sum{int64(uint64(s.high)*n + carry), low}
}

// Add returns the sum of both.
func (s Sum) Add(other Sum) Sum {
	low, carry := bits.Add64(s.low, other.low, 0)
	return Sum{s.high + other.high + int64(carry), low}
}

func (s Sum) negated() Sum {
	low, borrow := bits.Sub64(0, s.low, 0)
	return Sum{-s.high - int64(borrow), low}
}

// Cmp returns -1, 0 or 1 where the sum is less than, equal to or greater than the other.
func (s Sum) Cmp(other Sum) int {
	if s.high != other.high {
		return cmp.Compare(s.high, other.high)
	}
	return cmp.Compare(s.low, other.low)
}

// Decimal returns the sum in 64 bits; ok is false where it takes more. It may be larger than
// what ParseDecimal takes.
func (s Sum) Decimal() (d Decimal, ok bool) {
	return Decimal(s.low), s.high == int64(s.low)>>63
}

// Float64 returns the nearest double.
func (s Sum) Float64() float64 {
	const exact = 1 << 53 // below it, both are doubles, and their quotient is rounded once
	if d, ok := s.Decimal(); ok && -exact <= d && d <= exact {
		return float64(d) / float64(One)
	}
	number, _ := strconv.ParseFloat(s.String(), 64) // never beyond the doubles
	return number
}

// String returns the shortest text that ParseSum reads as this sum: 49.99, -0.5, 20.
func (s Sum) String() string {
	var text [48]byte
	return string(s.append(text[:0]))
}

func (s Sum) append(b []byte) []byte {
	if s.high < 0 {
		b, s = append(b, '-'), s.negated()
	}
	// The digits, with zeros before those of less than 1.
	const part, places = 1e19, 19
	high, low := bits.Div64(uint64(s.high), s.low, part)
	begin := len(b)
	if high > 0 {
		b = strconv.AppendUint(b, high, 10)
	}
	digits := strconv.AppendUint(nil, low, 10)
	for n := len(digits); n < places && (high > 0 || n < 7); n++ {
		b = append(b, '0')
	}
	b = append(b, digits...)
	// The point, six digits from the end, and no zeros behind it.
	point, end := len(b)-6, len(b)
	for end > point && b[end-1] == '0' {
		end--
	}
	if end == point || begin == point {
		return b[:end]
	}
	b = append(b[:end], 0)
	copy(b[point+1:], b[point:end])
	b[point] = '.'
	return b
}

// MarshalJSON returns the sum as a JSON number: String.
func (s Sum) MarshalJSON() ([]byte, error) { return s.append(nil), nil }

// UnmarshalJSON reads a JSON number exactly, as ParseSum does.
func (s *Sum) UnmarshalJSON(text []byte) (err error) {
	*s, err = ParseSum(string(text))
	return err
}
