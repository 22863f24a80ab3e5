package ingest

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/goalgraph/goalgraph/model"
)

// The browser SDKs of Segment and Customer.io are told to send to where they asked, also
// through a proxy that is trusted, and by no other.
func TestSettings(t *testing.T) {
	for proxies, want := range map[string]string{"127.0.0.0/8": "https shop.example/v1", "10.0.0.0/8": "http localhost/v1"} {
		tracker := NewTracker(TrackerOptions{
			Decoder: newTestDecoder(t), Pipeline: NewPipeline(PipelineOptions{}), TrustedProxies: []netip.Prefix{netip.MustParsePrefix(proxies)},
			Sender: func(*http.Request, string) (*Sender, error) {
				return &Sender{Site: &model.Site{ID: 1, Bots: model.ExcludeBots}}, nil
			},
			Metrics: prometheus.NewRegistry(),
		})
		mux := http.NewServeMux()
		tracker.Register(mux)
		request := httptest.NewRequest(http.MethodGet, "http://localhost/v1/projects/KEY/settings", nil)
		request.RemoteAddr = "127.0.0.1:1234"
		request.Header.Set("X-Forwarded-Proto", "https")
		request.Header.Set("X-Forwarded-Host", "shop.example")
		response := httptest.NewRecorder()
		mux.ServeHTTP(response, request)
		var settings struct {
			Integrations map[string]struct{ APIKey, APIHost, Protocol, Type string }
		}
		if err := json.Unmarshal(response.Body.Bytes(), &settings); err != nil {
			t.Fatal(err)
		}
		for _, name := range []string{"Segment.io", "Customer.io Data Pipelines"} {
			if got := settings.Integrations[name]; got.APIKey != "KEY" || got.Protocol+" "+got.APIHost != want || got.Type != "" {
				t.Errorf("proxies %s: %s: %+v; want %s", proxies, name, got, want)
			}
		}
	}
}

// Jitsu's SDK has paths of its own, and tells the key in a header of its own; what the
// body has in its place is masked. A server's address is not its visitors'.
func TestJitsu(t *testing.T) {
	var written []model.Message
	pipeline := NewPipeline(PipelineOptions{Write: func(_ context.Context, _ int64, batch []model.Message) error {
		written = append(written, batch...)
		return nil
	}})
	tracker := NewTracker(TrackerOptions{
		Decoder: newTestDecoder(t), Pipeline: pipeline, Metrics: prometheus.NewRegistry(),
		Sender: func(_ *http.Request, key string) (*Sender, error) {
			if key != "KEY" {
				return nil, model.Errorf(model.Unauthenticated, "the write key %q is unknown", key)
			}
			return &Sender{Site: &model.Site{ID: 1, Bots: model.ExcludeBots}}, nil
		},
	})
	mux := http.NewServeMux()
	tracker.Register(mux)
	for _, test := range []struct {
		path, key string
		status    int
		address   string
	}{
		{"/api/s/page", "KEY:any", http.StatusOK, "192.0.2.1"},
		{"/api/s/s2s/page", "KEY:any", http.StatusOK, ""},
		{"/api/s/page", "KEY", http.StatusOK, "192.0.2.1"},
		{"/api/s/page", "OTHER:any", http.StatusUnauthorized, ""},
		{"/api/s/nothing", "KEY:any", http.StatusNotFound, ""},
	} {
		written = nil
		request := httptest.NewRequest(http.MethodPost, test.path, strings.NewReader(`{"anonymousId":"a","writeKey":"KEY:***","properties":{"path":"/p"}}`))
		request.Header.Set("X-Write-Key", test.key)
		response := httptest.NewRecorder()
		mux.ServeHTTP(response, request)
		if response.Code != test.status {
			t.Errorf("%s with %s: %d %s, want %d", test.path, test.key, response.Code, response.Body, test.status)
			continue
		}
		if test.status == http.StatusOK && (len(written) != 1 || written[0].Hit.Name != "/p" || written[0].Hit.Origin.IP != test.address) {
			t.Errorf("%s with %s: written %+v", test.path, test.key, written)
		}
	}
}
