package column

import "testing"

// Processors without the instructions find the same.
func TestWithoutAVX2(t *testing.T) {
	if !vectorized {
		t.Skip("this processor is one")
	}
	vectorized = false
	defer func() { vectorized = true }()
	TestVector(t)
	TestMeet(t)
}
