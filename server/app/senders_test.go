package app

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/goalgraph/goalgraph/model"
	"github.com/goalgraph/goalgraph/model/store"
	"github.com/goalgraph/goalgraph/model/store/storetest"
	"github.com/goalgraph/goalgraph/server/ingest"
)

// newTestSenders returns senders over a database with the sites shop.example and blog.example.
func newTestSenders(t *testing.T, auth string, rate int) (s *senders, sites []*model.Site) {
	t.Helper()
	a := &App{options: Options{Auth: auth, KeyRate: rate, Listen: "127.0.0.1:0"}}
	var err error
	if a.store, err = store.Open(t.Context(), storetest.SQLite(t), store.Options{}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { a.store.Close() })
	if _, err := a.store.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, domain := range []string{"shop.example", "blog.example", "other.example"} {
		site := &model.Site{Name: domain, Domains: []string{domain}, Timezone: "UTC"}
		if err := a.store.CreateSite(t.Context(), site); err != nil {
			t.Fatal(err)
		}
		sites = append(sites, site)
	}
	if err := a.newDoor(t.Context()); err != nil {
		t.Fatal(err)
	}
	if s, err = a.newSenders(); err != nil {
		t.Fatal(err)
	}
	return s, sites
}

func (s *senders) mustKey(t *testing.T, key model.Key) (secret string) {
	t.Helper()
	key.Name = "key"
	secret = key.NewSecret()
	if err := s.store.CreateKey(t.Context(), &key); err != nil {
		t.Fatal(err)
	}
	return secret
}

func requestFrom(origin string) *http.Request {
	r := httptest.NewRequest(http.MethodPost, "http://localhost/v1/track", nil)
	if origin != "" {
		r.Header.Set("Origin", origin)
	}
	return r
}

func TestSenders(t *testing.T) {
	t.Parallel()
	s, sites := newTestSenders(t, AuthKeys, 100)
	shop, blog := sites[0], sites[1]
	one := s.mustKey(t, model.Key{Scope: model.WriteScope, Sites: []int64{shop.ID}, Origins: []string{"https://shop.example"}})
	two := s.mustKey(t, model.Key{Scope: model.WriteScope, Sites: []int64{shop.ID, blog.ID}})
	admin := s.mustKey(t, model.Key{Scope: model.AdminScope, AllSites: true})
	read := s.mustKey(t, model.Key{Scope: model.ReadScope, AllSites: true})
	for _, test := range []struct {
		key, origin string
		code        model.Code
		says        string
	}{
		{one, "", "", ""}, {one, "https://shop.example", "", ""}, {two, "https://attacker.example", "", ""}, {admin, "", "", ""},
		{one, "https://attacker.example", model.Forbidden, "--site-origins"},
		{read, "", model.Unauthenticated, "the scope READ"},
		{"", "", model.Unauthenticated, "no write key"},
		{"shop.example", "", model.Unauthenticated, "unknown"},
		{one[:12], "", model.Unauthenticated, "cut off"},
	} {
		sender, err := s.sender(requestFrom(test.origin), test.key)
		if model.CodeOf(err) != test.code || err != nil && !strings.Contains(err.Error(), test.says) {
			t.Errorf("%.12q from %q: %v", test.key, test.origin, err)
		}
		if err == nil && (sender.Rate == nil || sender.Rate.Limit() != 100 || sender.Rate.Burst() < ingest.MaxBatchMessages) {
			t.Errorf("%.12q: %+v", test.key, sender.Rate)
		}
	}
	if sender, err := s.sender(requestFrom(""), one); err != nil || sender.Site == nil || sender.Site.ID != shop.ID {
		t.Errorf("a key of one site: %+v, %v", sender, err)
	}
	for _, test := range []struct {
		key, host string
		site      int64 // 0 for none
	}{
		{two, "shop.example", shop.ID}, {two, "www.blog.example", blog.ID}, {two, "other.example", 0}, {two, "unknown.example", 0},
		{admin, "other.example", sites[2].ID}, {admin, "unknown.example", 0},
	} {
		sender, err := s.sender(requestFrom(""), test.key)
		if err != nil || sender.Site != nil {
			t.Fatalf("%+v, %v", sender, err)
		}
		site, err := sender.SiteOf(t.Context(), test.host)
		if test.site == 0 && (model.CodeOf(err) != model.BadInput || !strings.Contains(err.Error(), test.host)) || test.site != 0 && (err != nil || site.ID != test.site) {
			t.Errorf("%.4q of %s: %+v, %v", test.key, test.host, site, err)
		}
	}
	// Each request of a key takes of one rate.
	first, _ := s.sender(requestFrom(""), one)
	again, _ := s.sender(requestFrom(""), one)
	other, _ := s.sender(requestFrom(""), two)
	if first.Rate != again.Rate || first.Rate == other.Rate {
		t.Error("rates are not by key")
	}
	if err := s.store.DeleteSite(t.Context(), shop.ID, nil); err != nil {
		t.Fatal(err)
	}
	deadline := time.Now().Add(time.Minute)
	for {
		if _, err := s.sender(requestFrom(""), one); err != nil {
			if model.CodeOf(err) != model.Unauthenticated || !strings.Contains(err.Error(), "deleted") {
				t.Errorf("of a deleted site: %v", err)
			}
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("the key of a deleted site still sends")
		}
	}
}

// Without authentication a site's domain is a key, but not for pages of other origins.
func TestDomainsAsKeys(t *testing.T) {
	t.Parallel()
	s, sites := newTestSenders(t, AuthNone, 0)
	key := s.mustKey(t, model.Key{Scope: model.WriteScope, Sites: []int64{sites[1].ID}})
	for _, test := range []struct {
		key, origin string
		site        int64 // 0 for none
		says        string
	}{
		{"shop.example", "", sites[0].ID, ""}, {"shop.example", "http://localhost", sites[0].ID, ""}, {key, "https://shop.example", sites[1].ID, ""},
		{"shop.example", "https://shop.example", 0, "pages of other origins"}, {"unknown.example", "", 0, "a site's domain works as well"},
		{strings.Repeat("a", 1000), "", 0, "unknown"},
	} {
		r := requestFrom(test.origin)
		r.Host = "localhost"
		sender, err := s.sender(r, test.key)
		if test.site == 0 && (model.CodeOf(err) != model.Unauthenticated || !strings.Contains(err.Error(), test.says)) || test.site != 0 && (err != nil || sender.Site.ID != test.site || sender.Rate != nil) {
			t.Errorf("%.20q from %q: %+v, %v", test.key, test.origin, sender, err)
		}
	}
}
