package app

import (
	"context"
	"net/http"
	"slices"
	"strconv"

	"github.com/maypok86/otter/v2"

	"github.com/goalgraph/goalgraph/model"
	"github.com/goalgraph/goalgraph/server/access"
	"github.com/goalgraph/goalgraph/server/ingest"
)

// senders finds who sends messages, and to which sites.
type senders struct {
	*App
	// sites has what is known of sites, by id and by host; nil for none.
	sites *otter.Cache[string, *model.Site]
	// rates are by key; nil without a bound.
	rates *access.Limiters[int64]
}

func (a *App) newSenders() (s *senders, err error) {
	s = &senders{App: a}
	if s.sites, err = otter.New(&otter.Options[string, *model.Site]{
		MaximumSize: maxSites, ExpiryCalculator: otter.ExpiryWriting[string, *model.Site](siteKept),
	}); err != nil {
		return nil, err
	}
	if rate := a.options.KeyRate; rate > 0 {
		s.rates, err = access.NewLimiters[int64](float64(rate), max(burstSeconds*rate, ingest.MaxBatchMessages))
	}
	return s, err
}

// burstSeconds is for how many seconds a key that was silent may send at once.
const burstSeconds = 10

// sender returns who sends a request with a key. Without authentication, which requires a loopback address, a site's
// domain is a key too, but not for pages of another origin.
func (s *senders) sender(r *http.Request, secret string) (*ingest.Sender, error) {
	if secret == "" {
		return nil, model.Errorf(model.Unauthenticated, "the request has no write key; send it as the user name of Basic authentication, as a Bearer token, or as writeKey in the body")
	}
	principal, err := s.directory.Bearer(r.Context(), secret)
	if s.options.Auth == AuthNone && model.CodeOf(err) == model.Unauthenticated {
		return s.ofDomain(r, secret, err)
	}
	if err != nil {
		return nil, err
	}
	if !principal.MaySomewhere(model.WriteScope) {
		if len(principal.Grants) == 0 {
			return nil, model.Errorf(model.Unauthenticated, "the site of this key was deleted")
		}
		return nil, model.Errorf(model.Unauthenticated, "the key has the scope %s; use one with the scope WRITE to send messages", principal.Grants[0].Scope)
	}
	if !access.IsFrom(r, principal.Origins) {
		return nil, model.Errorf(model.Forbidden, "pages of this origin may not use the key; its --site-origins list the origins that may")
	}
	return s.ofPrincipal(r.Context(), principal)
}

// ofDomain returns the sender to the site of a domain. refused is why it is no key.
func (s *senders) ofDomain(r *http.Request, domain string, refused error) (*ingest.Sender, error) {
	if len(domain) > model.MaxTextBytes {
		return nil, refused
	}
	if s.door.IsForeign(r) {
		return nil, model.Errorf(model.Unauthenticated, "%v; pages of other origins cannot use a site's domain instead", refused)
	}
	site, err := s.siteOfHost(r.Context(), domain)
	if err == nil && site == nil {
		err = model.Errorf(model.Unauthenticated, "%v; without authentication, a site's domain works as well", refused)
	}
	return &ingest.Sender{ID: "domain " + domain, Site: site}, err
}

// asker returns who asks for variants with a key, as sender does.
func (s *senders) asker(r *http.Request, secret string) (*ingest.Sender, error) {
	if principal, err := s.directory.Bearer(r.Context(), secret); err == nil && !principal.MaySomewhere(model.WriteScope) && len(principal.Grants) > 0 {
		return nil, model.Errorf(model.Forbidden, "the key has the scope %s; use one with the scope WRITE to ask for variants", principal.Grants[0].Scope)
	}
	return s.sender(r, secret)
}

func (s *senders) ofPrincipal(ctx context.Context, p *model.Principal) (*ingest.Sender, error) {
	sender := &ingest.Sender{ID: "key " + strconv.FormatInt(p.ID, 10)}
	if s.rates != nil {
		sender.Rate = s.rates.Of(p.ID)
	}
	sites, all := p.Sites(model.WriteScope)
	if len(sites) == 1 {
		site, err := s.siteOfID(ctx, sites[0])
		if err == nil && site == nil {
			err = model.Errorf(model.Unauthenticated, "the site of this key was deleted")
		}
		sender.Site = site
		return sender, err
	}
	sender.SiteOf = func(ctx context.Context, host string) (*model.Site, error) {
		site, err := s.siteOfHost(ctx, host)
		if err == nil && (site == nil || !all && !slices.Contains(sites, site.ID)) {
			err = model.Invalid("context.page.url", "has the host %.100q, which is a domain of none of the key's sites", host)
		}
		return site, err
	}
	return sender, nil
}

func (s *senders) siteOfID(ctx context.Context, id int64) (*model.Site, error) {
	return s.site(strconv.FormatInt(id, 10), func() (*model.Site, error) { return s.store.Site(ctx, id) })
}

// siteOfHost returns the site of a host, with or without www.
func (s *senders) siteOfHost(ctx context.Context, host string) (*model.Site, error) {
	return s.site("host "+host, func() (*model.Site, error) { return siteOfHost(ctx, s.store, host) })
}

// site returns the site under a name, nil if there is none.
func (s *senders) site(name string, lookUp func() (*model.Site, error)) (*model.Site, error) {
	if site, known := s.sites.GetIfPresent(name); known {
		return site, nil
	}
	site, err := lookUp()
	if model.CodeOf(err) == model.NotFound {
		site, err = nil, nil
	}
	if err == nil {
		s.sites.Set(name, site)
	}
	return site, err
}
