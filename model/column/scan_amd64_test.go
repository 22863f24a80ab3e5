package column

import "testing"

// Processors that cannot run the scans find the same.
func TestVectorWithoutScans(t *testing.T) {
	if !vectorized {
		t.Skip("this processor is one")
	}
	vectorized = false
	defer func() { vectorized = true }()
	TestVector(t)
}
