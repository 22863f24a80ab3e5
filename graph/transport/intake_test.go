package transport

import (
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/goalgraph/goalgraph/model"
)

// Large requests are read while there is memory for them, small ones always.
func TestIntake(t *testing.T) {
	var i intake
	large := strings.Repeat("x", maxBody)
	var all []*share
	var err error
	for err == nil {
		var taken *share
		if _, taken, err = i.read(strings.NewReader(large)); err == nil {
			all = append(all, taken)
		}
	}
	if held := len(all) * maxBody; model.CodeOf(err) != model.ResourceExhausted || held > mostTaken || held < mostTaken/4 {
		t.Errorf("%d bytes are held; %v", held, err)
	}
	text, small, err := i.read(iotest.HalfReader(strings.NewReader(large[:smallRequest/2])))
	if err != nil || string(text) != large[:smallRequest/2] {
		t.Errorf("a small request: %d bytes, %v", len(text), err)
	}
	for _, taken := range append(all, small) {
		taken.release()
		taken.release()
	}
	if left := i.taken.Load(); left != 0 {
		t.Errorf("%d bytes are left", left)
	}
	// What is small as text may be large as values.
	objects := strings.Repeat(`{"a":1},`, maxBody/8)
	_, taken, err := i.read(strings.NewReader(objects))
	if err != nil || taken.bytes.Load() < 30<<20 {
		t.Errorf("objects take %d bytes; %v", taken.bytes.Load(), err)
	}
	if _, _, err := i.read(strings.NewReader(objects)); model.CodeOf(err) != model.ResourceExhausted {
		t.Errorf("%v", err)
	}
	taken.release()
	broken := errors.New("broken")
	if _, _, err := i.read(io.MultiReader(strings.NewReader(large[:5000]), iotest.ErrReader(broken))); !errors.Is(err, broken) {
		t.Errorf("%v", err)
	}
	if left := i.taken.Load(); left != 0 {
		t.Errorf("%d bytes are left", left)
	}
}
