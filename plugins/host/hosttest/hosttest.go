// Package hosttest gives tests a running host with the built-in filter types. The
// host starts the test's own program as the built-in plugin, so the test package
// needs
//
//	func TestMain(m *testing.M) {
//		builtin.ServeIfAsked()
//		os.Exit(m.Run())
//	}
//
// Tests that do nothing to their host but ask it share one, so that not each of them waits for a process to start: they
// call Shared, and TestMain calls Run in place of m.Run.
package hosttest

import (
	"context"
	"fmt"
	"os"
	"sync"
	"testing"

	"github.com/goalgraph/goalgraph/plugins/host"
)

// New returns a host with the built-in types, closed when the test ends.
func New(tb testing.TB) *host.Host { return Start(tb, host.Options{}) }

// Start is New with options of the test's own.
func Start(tb testing.TB, o host.Options) *host.Host {
	tb.Helper()
	h, err := host.New(tb.Context(), o)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := h.Close(); err != nil {
			tb.Errorf("closing the host of plugins: %v", err)
		}
	})
	return h
}

// shared is the host of Shared.
var shared struct {
	begin sync.Once
	of    host.Options
	host  *host.Host
	err   error
}

// Run runs the tests, and ends the host that they share, which has the options.
func Run(m *testing.M, of host.Options) (code int) {
	shared.of = of
	defer func() {
		if shared.host == nil {
			return
		}
		if err := shared.host.Close(); err != nil {
			fmt.Fprintln(os.Stderr, "closing the host of plugins:", err)
			code = 1
		}
	}()
	return m.Run()
}

// Shared returns the host that tests share, which they must not close.
func Shared(tb testing.TB) *host.Host {
	tb.Helper()
	shared.begin.Do(func() { shared.host, shared.err = host.New(context.Background(), shared.of) })
	if shared.err != nil {
		tb.Fatal(shared.err)
	}
	return shared.host
}
