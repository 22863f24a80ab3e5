package transport

import (
	"context"
	"testing"

	"github.com/goalgraph/goalgraph/model"
)

// Anonymous callers are told apart by address, and by network where one has many.
func TestCallers(t *testing.T) {
	of := func(p model.Principal, address string) string {
		return callerOf(model.WithActor(t.Context(), model.Actor{Principal: &p, Address: address}))
	}
	anonymous, key := model.Principal{Kind: model.AnonymousPrincipal}, model.Principal{Kind: model.KeyPrincipal, ID: 1}
	for _, test := range []struct {
		a, b  string
		equal bool
	}{
		{"2001:db8::1", "2001:db8::2:1", true}, {"2001:db8::1", "2001:db8:0:1::1", false}, {"192.0.2.1", "192.0.2.2", false},
		{"192.0.2.1", "::ffff:192.0.2.1", true}, {"fe80::1%eth0", "fe80::2", true}, {"", "192.0.2.1", false},
	} {
		if a, b := of(anonymous, test.a), of(anonymous, test.b); (a == b) != test.equal {
			t.Errorf("%q is %q, and %q is %q", test.a, a, test.b, b)
		}
		if of(key, test.a) != of(key, test.b) {
			t.Errorf("a key is another one from %q", test.b)
		}
	}
}

// Long requests are read one after another, of each caller and of all, and short ones at any time.
func TestTurnsToRead(t *testing.T) {
	a := newAdmission(nil)
	as := func(id int64) context.Context {
		return model.WithActor(t.Context(), model.Actor{Principal: &model.Principal{Kind: model.KeyPrincipal, ID: id}})
	}
	over, end := context.WithCancel(t.Context())
	end()
	isTurn := func(id int64, length int) (leave func(), is bool) {
		leave, err := a.read(model.WithActor(over, model.ActorOf(as(id))), length)
		return leave, err == nil
	}
	var all []func()
	for id := range int64(cap(a.reading)) {
		leave, err := a.read(as(id), longRequest)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, leave)
	}
	if _, is := isTurn(1000, longRequest); is {
		t.Error("more are read than there are turns")
	}
	if _, is := isTurn(0, longRequest-1); !is {
		t.Error("a short request waits")
	}
	all[0]()
	leave, err := a.read(as(1000), longRequest)
	if err != nil {
		t.Error("a turn is lost")
	}
	leave()
	for _, leave := range all[1:] {
		leave()
	}
	if len(a.lanes) != 0 {
		t.Errorf("%d callers are kept", len(a.lanes))
	}
}
