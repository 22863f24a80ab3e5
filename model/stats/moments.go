package stats

import "math"

// Moments are the number, the mean and the spread of values. They are kept around the mean, so that values as large as 10⁷ that differ by 5
// keep the digits of their spread, which the sum of their squares has lost (Welford 1962, Note on a method for calculating corrected sums of
// squares and products, Technometrics 4; Chan, Golub and LeVeque 1983, Algorithms for computing the sample variance, The American
// Statistician 37). The zero Moments are of no values.
type Moments struct {
	N    int64
	Mean float64
	// Squares is the sum of the squares of the values' distances from their mean.
	Squares float64
}

// Add adds a value. Digits depend on the order in which values are added: add them in one that does not change.
func (m *Moments) Add(value float64) {
	m.N++
	off := value - m.Mean
	m.Mean += off / float64(m.N)
	m.Squares += off * (value - m.Mean)
}

// Merge adds the values of others.
func (m *Moments) Merge(others Moments) {
	switch {
	case others.N == 0:
		return
	case m.N == 0:
		*m = others
		return
	}
	n, share, off := float64(m.N), float64(others.N)/float64(m.N+others.N), others.Mean-m.Mean
	m.N += others.N
	m.Mean += off * share
	m.Squares += others.Squares + off*off*share*n
}

// Variance is the sample variance, with n − 1; 0 of fewer than two values.
func (m Moments) Variance() float64 {
	if m.N < 2 {
		return 0
	}
	return m.Squares / float64(m.N-1)
}

// JointMoments are the moments of pairs of numbers, such as what visitors did before and during an experiment. The zero JointMoments are of no
// pairs.
type JointMoments struct {
	X, Y Moments
	// Products is the sum of the products of the distances of x and y from their means.
	Products float64
}

// Add adds a pair.
func (m *JointMoments) Add(x, y float64) {
	off := x - m.X.Mean
	m.X.Add(x)
	m.Y.Add(y)
	m.Products += off * (y - m.Y.Mean)
}

// Merge adds the pairs of others.
func (m *JointMoments) Merge(others JointMoments) {
	if others.X.N == 0 {
		return
	}
	n, all := float64(m.X.N), float64(m.X.N+others.X.N)
	offX, offY := others.X.Mean-m.X.Mean, others.Y.Mean-m.Y.Mean
	m.Products += others.Products + offX*offY*(n/all)*float64(others.X.N)
	m.X.Merge(others.X)
	m.Y.Merge(others.Y)
}

// AddZeros adds n pairs of zeros, for the many visitors of whom there is nothing to tell.
func (m *JointMoments) AddZeros(n int64) {
	m.Merge(JointMoments{X: Moments{N: n}, Y: Moments{N: n}})
}

// covariance is the sample covariance, with n − 1.
func (m JointMoments) covariance() float64 {
	if m.X.N < 2 {
		return 0
	}
	return m.Products / float64(m.X.N-1)
}

// isFinite tells whether no figure overflowed.
func (m Moments) isFinite() bool {
	return !math.IsNaN(m.Mean-m.Mean) && !math.IsNaN(m.Squares-m.Squares)
}
