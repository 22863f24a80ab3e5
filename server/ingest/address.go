package ingest

import (
	"net/netip"
	"strings"

	"github.com/goalgraph/goalgraph/model"
)

// parseAddress reads an IP address into its one form: without a zone, and an
// IPv4 address mapped into IPv6 as IPv4. The unspecified address, by which
// senders say that they do not tell, is no address.
func parseAddress(s string) (netip.Addr, bool) {
	address, err := netip.ParseAddr(s)
	if err != nil {
		return netip.Addr{}, false
	}
	address = address.Unmap().WithZone("")
	return address, !address.IsUnspecified()
}

// clientAddress reads the client of a log's line: an IP address, without the port that
// some servers add, or a host name where the server looks names up. "-" and the "unix:" of
// sockets stand for a client that is not known.
func clientAddress(s string) (client string, ok bool) {
	if strings.IndexByte(s, ':') >= 0 {
		if _, err := netip.ParseAddr(s); err == nil {
			return s, true
		}
		if at, err := netip.ParseAddrPort(s); err == nil {
			return at.Addr().String(), true
		}
		return s, s == "unix:"
	}
	for i := range len(s) {
		c := s[i] | 0x20
		if !('a' <= c && c <= 'z' || '0' <= s[i] && s[i] <= '9' || s[i] == '.' || s[i] == '-' || s[i] == '_') {
			return "", false
		}
	}
	return s, s != ""
}

// clientBehind returns the client of a request that came from remote with the list of an
// X-Forwarded-For. Where remote is in a private network it is a proxy, to be believed: the
// client is the last in the list that is not in a private network too, or else the first.
// What a public remote says of others is not believed. Without a remote the first counts.
func clientBehind(remote, forwarded string) string {
	if forwarded == "" || forwarded == "-" {
		return remote
	}
	known := remote != "" && remote != "-"
	if address, ok := parseAddress(remote); ok && !isPrivate(address) || !ok && known && remote != "unix:" {
		return remote
	}
	client := remote
	list := strings.Split(forwarded, ",")
	for i := len(list) - 1; i >= 0; i-- {
		text, ok := clientAddress(strings.TrimSpace(list[i]))
		address, isIP := parseAddress(text)
		if !ok || !isIP {
			continue
		}
		if client = text; known && !isPrivate(address) {
			break
		}
	}
	return client
}

func isPrivate(address netip.Addr) bool {
	return address.IsPrivate() || address.IsLoopback() || address.IsLinkLocalUnicast()
}

// hostOf returns the host of a URL in its one form (model.Host), without a port, and the empty
// string where s is no URL with a host. It reads no more than the authority,
// since referrers with a broken path or query still tell where they come from.
func hostOf(s string) string {
	authority, ok := authorityOf(s)
	if !ok {
		return ""
	}
	if at := strings.LastIndexByte(authority, '@'); at >= 0 {
		authority = authority[at+1:]
	}
	host := authority
	if strings.HasPrefix(host, "[") {
		end := strings.IndexByte(host, ']')
		if end < 0 {
			return ""
		}
		host = host[1:end]
	} else if colon := strings.LastIndexByte(host, ':'); colon >= 0 {
		host = host[:colon]
	}
	for i := range len(host) {
		if c := host[i]; c <= ' ' || c == 0x7f || strings.IndexByte(`"<>\^{|}[]`, c) >= 0 {
			return ""
		}
	}
	return model.Host(host)
}

// pathOf returns the path of a URL in its one form (model.Path), "/" where the
// URL has a host and no path. A URL may be relative ("/pricing?a=b").
func pathOf(url string) (path string, ok bool) {
	if authority, absolute := authorityOf(url); absolute {
		url = url[strings.Index(url, "//")+2+len(authority):]
	} else if !strings.HasPrefix(url, "/") {
		return "", false
	}
	if path = model.Path(url); path == "" {
		path = "/"
	}
	return path, true
}

func authorityOf(url string) (authority string, ok bool) {
	scheme, rest, found := strings.Cut(url, "//")
	if !found || (scheme != "" && !isScheme(scheme)) {
		return "", false
	}
	if end := strings.IndexAny(rest, "/?#"); end >= 0 {
		rest = rest[:end]
	}
	return rest, true
}

// isScheme tells whether s is a URL's scheme with its colon (RFC 3986, 3.1).
func isScheme(s string) bool {
	name, colon := strings.CutSuffix(s, ":")
	if !colon || name == "" {
		return false
	}
	for i := range len(name) {
		c := name[i] | 0x20
		letter := 'a' <= c && c <= 'z'
		other := ('0' <= name[i] && name[i] <= '9') || strings.IndexByte("+-.", name[i]) >= 0
		if !letter && (i == 0 || !other) {
			return false
		}
	}
	return true
}
