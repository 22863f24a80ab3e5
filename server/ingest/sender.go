package ingest

import (
	"cmp"
	"context"
	"math"
	"net/http"
	"strings"
	"time"

	"golang.org/x/time/rate"

	"github.com/goalgraph/goalgraph/model"
)

// Sender is who sends messages.
type Sender struct {
	// ID tells senders apart: what requests hold is bounded for each.
	ID string
	// Site is the only site that it sends to; nil if there are several.
	Site *model.Site
	// SiteOf returns the one of several sites whose domains include the host of a page; a BadInput error if none does.
	SiteOf func(ctx context.Context, host string) (*model.Site, error)
	// Rate bounds its messages. Its burst is at least MaxBatchMessages. nil is for no bound.
	Rate *rate.Limiter
}

// take lets so many messages through, or refuses all of them until later.
func (s *Sender) take(now time.Time, messages int) error {
	if s.Rate == nil {
		return nil
	}
	taken := s.Rate.ReserveN(now, messages)
	delay := taken.DelayFrom(now)
	if delay == 0 {
		return nil
	}
	taken.CancelAt(now)
	return &refusal{
		status: http.StatusTooManyRequests, retry: int(math.Ceil(delay.Seconds())),
		reason: "this key sends more messages per second than the server takes of one, so nothing was kept; send them again later",
	}
}

// siteOf returns the site of a message.
func (s *Sender) siteOf(ctx context.Context, message, batchContext value) (*model.Site, error) {
	if s.Site != nil {
		return s.Site, nil
	}
	host := pageHost(message, batchContext)
	if host == "" {
		return nil, model.Invalid("context.page.url", "names no host, which the site is known by, because the key is of several sites; send it, or use a key of one site")
	}
	return s.SiteOf(ctx, host)
}

// pageHost returns the host of the page that a message is about, in its one form (model.Host).
func pageHost(message, batchContext value) string {
	if !message.isObject() {
		return ""
	}
	w := readWire(message, batchContext)
	// The URL among the properties of an event may be a link's.
	return cmp.Or(hostOf(w.context.pageURL.address()), hostOf(w.url.address()))
}

// keyOf returns the key that a request has outside of its body: the user of Basic authentication, a Bearer token, Jitsu's
// header, or the writeKey of the query. Jitsu's SDK masks the key in the body.
func keyOf(r *http.Request) string {
	key, _, ok := r.BasicAuth()
	if !ok {
		scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
		if strings.EqualFold(scheme, "Bearer") {
			key = strings.TrimSpace(token)
		}
	}
	if key = cmp.Or(key, jitsuKey(r)); key == "" {
		key = r.URL.Query().Get("writeKey")
	}
	return key
}

// bearer returns who sends a request with a key.
func (t *Tracker) bearer(r *http.Request, key string) (*Sender, error) {
	sender, err := t.options.Sender(r, key)
	switch model.CodeOf(err) {
	case model.Unauthenticated:
		return nil, refusef(http.StatusUnauthorized, "%v", err)
	case model.Forbidden:
		return nil, refusef(http.StatusForbidden, "%v", err)
	case model.ResourceExhausted:
		return nil, refusef(http.StatusTooManyRequests, "%v", err)
	}
	return sender, err
}

// address returns the address that the request comes from. It is empty where the path says that a server sends for its
// visitors.
func (t *Tracker) address(r *http.Request) string {
	if strings.HasPrefix(r.URL.Path, jitsuServerPath) {
		return ""
	}
	if address := t.options.TrustedProxies.Sender(r); address.IsValid() {
		return address.String()
	}
	return ""
}

// parcels are the messages of a batch, by site.
type parcels struct {
	// room is for how many messages the first has room.
	room int
	all  []parcel
}

type parcel struct {
	site     int64
	messages []model.Message
}

func (p *parcels) add(site int64, message model.Message) {
	for i := range p.all {
		if p.all[i].site == site {
			p.all[i].messages = append(p.all[i].messages, message)
			return
		}
	}
	messages := make([]model.Message, 0, p.room)
	p.room = 0
	p.all = append(p.all, parcel{site, append(messages, message)})
}
