package app

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/goalgraph/goalgraph/server/login"
)

func TestDangers(t *testing.T) {
	t.Parallel()
	const public = "https://stats.example"
	proxies := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}
	for _, test := range []struct {
		name    string
		options Options
		// warns is of what; empty for nothing.
		warns string
	}{
		{"loopback", Options{Listen: "127.0.0.1:8080"}, ""},
		{"all addresses", Options{Listen: ":8080"}, "without TLS"},
		{"all addresses, an http URL", Options{Listen: ":8080", PublicURL: "http://stats.example"}, "without TLS"},
		{"an address, TLS", Options{Listen: "10.0.0.1:443", TLSDomains: []string{"stats.example"}, PublicURL: public}, ""},
		{"TLS, no URL", Options{Listen: ":443", TLSCert: "cert.pem"}, ""},
		{"TLS, an http URL", Options{Listen: ":443", TLSCert: "cert.pem", PublicURL: "http://stats.example"}, "--public-url http://stats.example"},
		{"a proxy that is not trusted", Options{Listen: "127.0.0.1:8080", PublicURL: public}, "--trusted-proxies"},
		{"a proxy elsewhere that is not trusted", Options{Listen: ":8080", PublicURL: public}, "--trusted-proxies"},
		{"a proxy", Options{Listen: ":8080", PublicURL: public, TrustedProxies: proxies}, ""},
		{"a provider without a secret", Options{Listen: "127.0.0.1:8080", OIDC: &login.OIDC{}}, "--oidc-client-secret"},
		{"a provider", Options{Listen: "127.0.0.1:8080", OIDC: &login.OIDC{ClientSecret: "secret"}}, ""},
	} {
		text := strings.Join(test.options.dangers(), "\n")
		if (text == "") != (test.warns == "") || !strings.Contains(text, test.warns) || strings.Contains(text, "\n") {
			t.Errorf("%s: %q, want a warning of %q", test.name, text, test.warns)
		}
	}
}
