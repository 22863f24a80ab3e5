package transport

import (
	"testing"

	"github.com/vektah/gqlparser/v2/gqlerror"
)

// sent returns what a delivery has to send until there is nothing.
func sent(t *testing.T, d *delivery) (all []string) {
	t.Helper()
	for {
		kind, payload, err := d.next()
		if err != nil {
			t.Fatal(err)
		}
		if kind == "" {
			return all
		}
		all = append(all, kind+" "+string(payload))
	}
}

func wantSent(t *testing.T, d *delivery, want ...string) {
	t.Helper()
	got := sent(t, d)
	if len(got) != len(want) {
		t.Fatalf("got %q, want %q", got, want)
	}
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("got %q, want %q", got[i], want[i])
		}
	}
}

// The newest answer is sent, and then the end. Whoever sends is notified once for all that there is.
func TestDelivery(t *testing.T) {
	m := newMetrics(nil)
	notified, released := 0, 0
	newDelivery := func() *delivery {
		notified, released = 0, 0
		d := &delivery{metrics: &m, notify: func(*delivery) { notified++ }}
		d.runOn(func() { released++ })
		return d
	}
	d := newDelivery()
	d.Next([]byte("1"))
	d.Next([]byte("2"))
	if notified != 1 {
		t.Errorf("notified %d times", notified)
	}
	wantSent(t, d, "next 2")
	d.Next([]byte("3"))
	d.finish()
	if notified != 2 {
		t.Errorf("notified %d times", notified)
	}
	wantSent(t, d, "next 3", "complete ")

	d = newDelivery()
	d.Next([]byte("1"))
	d.End(gqlerror.List{{Message: "gone"}})
	wantSent(t, d, `error [{"message":"gone"}]`)

	d = newDelivery()
	d.Next([]byte("1"))
	d.abandon()
	wantSent(t, d)
	late := 0
	d.runOn(func() { late++ })
	if released != 1 || late != 1 {
		t.Errorf("released %d times, and %d times what came late", released, late)
	}
}
