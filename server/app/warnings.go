package app

import (
	"context"
	"net"
	"strings"

	"github.com/goalgraph/goalgraph/model"
	"github.com/goalgraph/goalgraph/server/access"
)

// dangers returns what the options allow and an operator hardly wants, a sentence each.
func (o *Options) dangers() (list []string) {
	host, _, err := net.SplitHostPort(o.Listen)
	isOpen := err != nil || !access.IsLoopback(host)
	hasTLS, isSecure := o.TLSCert != "" || len(o.TLSDomains) > 0, strings.HasPrefix(o.PublicURL, "https:")
	switch {
	case isOpen && !hasTLS && !isSecure && len(o.TrustedProxies) == 0:
		list = append(list, "passwords and keys travel without TLS to --listen "+o.Listen+"; give --tls-domain or --tls-cert, or have a proxy with HTTPS "+
			"before the server and give --public-url https://… and --trusted-proxies")
	case hasTLS && o.PublicURL != "" && !isSecure:
		list = append(list, "the server has TLS and --public-url "+o.PublicURL+" has not: links and logins go the wrong way; give --public-url https://…")
	case isSecure && !hasTLS && len(o.TrustedProxies) == 0:
		list = append(list, "--public-url has https and the server has no TLS, so a proxy must stand before it, whose address all visitors share: "+
			"name it with --trusted-proxies")
	}
	if o.OIDC != nil && o.OIDC.ClientSecret == "" {
		list = append(list, "--oidc-client-id has no --oidc-client-secret: most providers refuse such logins; give what the provider gave you")
	}
	return list
}

// warn logs what an operator should know of the options, once the server has begun.
func (a *App) warn(ctx context.Context) error {
	log := a.options.Log
	for _, danger := range a.options.dangers() {
		log.WarnContext(ctx, danger)
	}
	if a.options.OIDC == nil {
		return nil
	}
	for _, rule := range a.options.OIDC.Roles {
		if rule.Domain == "" {
			continue
		}
		_, err := a.store.SiteByDomain(ctx, rule.Domain)
		switch {
		case model.CodeOf(err) == model.NotFound:
			log.WarnContext(ctx, "--oidc-roles gives a role on a site that does not exist; nobody gets it before it does", "value", rule.Value, "domain", rule.Domain)
		case err != nil:
			return err
		}
	}
	return nil
}
