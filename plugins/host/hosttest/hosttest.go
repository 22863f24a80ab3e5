// Package hosttest gives tests a running host with the built-in filter types. The
// host starts the test's own program as the built-in plugin, so the test package
// needs
//
//	func TestMain(m *testing.M) {
//		builtin.ServeIfAsked()
//		os.Exit(m.Run())
//	}
package hosttest

import (
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
