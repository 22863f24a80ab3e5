package model

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
)

// WebOrigin returns the one form of a web origin: scheme, host and, unless it is the scheme's own, the port, as browsers send
// it. The schemes are http and https. A path, if any, is "/" at most.
func WebOrigin(text string) (string, error) {
	u, err := url.Parse(strings.TrimSpace(text))
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" || u.User != nil || u.Path != "" && u.Path != "/" ||
		u.RawQuery != "" || u.Fragment != "" || strings.Contains(u.Host, "*") {
		return "", notOrigin(text)
	}
	host := ASCIIHost(Host(u.Hostname()))
	if host == "" {
		return "", notOrigin(text)
	}
	if strings.Contains(host, ":") {
		host = "[" + host + "]"
	}
	origin := u.Scheme + "://" + host
	if port := u.Port(); port != "" && port != map[string]string{"http": "80", "https": "443"}[u.Scheme] {
		origin += ":" + port
	}
	return origin, nil
}

func notOrigin(text string) error {
	return fmt.Errorf("%q is not an origin; write it like https://shop.example", clip(text))
}

// checkOrigins brings the key's origins into one form. Only keys that stand in pages have any.
func (k *Key) checkOrigins() error {
	if len(k.Origins) > MaxOrigins {
		return Invalid("origins", "has %d origins; the limit is %d", len(k.Origins), MaxOrigins)
	}
	if len(k.Origins) > 0 && k.Scope != WriteScope {
		return Invalid("origins", "are for keys with the scope WRITE, which stand in pages; leave them out")
	}
	origins := make([]string, 0, len(k.Origins))
	for i, text := range k.Origins {
		origin, err := WebOrigin(text)
		if err != nil {
			return Invalid(fmt.Sprintf("origins[%d]", i), "%s", err)
		}
		if !slices.Contains(origins, origin) {
			origins = append(origins, origin)
		}
	}
	k.Origins = origins
	return nil
}
