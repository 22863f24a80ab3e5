package access

import (
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"

	"github.com/goalgraph/goalgraph/model"
)

// Proxies are the networks of trusted proxies, whose X-Forwarded-For, -Proto and -Host are believed.
type Proxies []netip.Prefix

func (p Proxies) contains(address netip.Addr) bool {
	for _, network := range p {
		if network.Contains(address) {
			return true
		}
	}
	return false
}

// peer returns the address of the connection.
func peer(r *http.Request) (address netip.Addr, ok bool) {
	from, err := netip.ParseAddrPort(r.RemoteAddr)
	return from.Addr().Unmap().WithZone(""), err == nil
}

// Sender returns the address that a request comes from: that of the connection, or where this is a trusted proxy, the
// last one in X-Forwarded-For that is none. It is not valid where the connection has none.
func (p Proxies) Sender(r *http.Request) netip.Addr {
	address, ok := peer(r)
	if !ok {
		return netip.Addr{}
	}
	hops := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
	for i := len(hops) - 1; i >= 0 && p.contains(address); i-- {
		hop, err := netip.ParseAddr(strings.TrimSpace(hops[i]))
		if err != nil || hop.IsUnspecified() {
			break
		}
		address = hop.Unmap().WithZone("")
	}
	return address
}

// Host returns the host, with the port if there is one, to which the client sent a request.
func (p Proxies) Host(r *http.Request) string {
	if host := p.forwarded(r, "X-Forwarded-Host"); host != "" {
		return host
	}
	return r.Host
}

// IsSecure tells whether the client sent a request over TLS.
func (p Proxies) IsSecure(r *http.Request) bool {
	if scheme := p.forwarded(r, "X-Forwarded-Proto"); scheme != "" {
		return strings.EqualFold(scheme, "https")
	}
	return r.TLS != nil
}

// forwarded returns the last value of a header that a trusted proxy has set.
func (p Proxies) forwarded(r *http.Request, name string) string {
	values := r.Header.Values(name)
	if len(values) == 0 {
		return ""
	}
	if address, ok := peer(r); !ok || !p.contains(address) {
		return ""
	}
	last := values[len(values)-1]
	return strings.TrimSpace(last[strings.LastIndexByte(last, ',')+1:])
}

// IsFrom tells whether a request comes from a page of one of the origins, by its Origin, or else its Referer. One without
// either is no browser's, and may come from anywhere, as any may where no origins are given.
func IsFrom(r *http.Request, origins []string) bool {
	if len(origins) == 0 {
		return true
	}
	from := r.Header.Get("Origin")
	if from == "" {
		if from = r.Header.Get("Referer"); from == "" {
			return true
		}
		if page, err := url.Parse(from); err == nil {
			from = page.Scheme + "://" + page.Host
		}
	}
	origin, err := model.WebOrigin(from)
	return err == nil && slices.Contains(origins, origin)
}
