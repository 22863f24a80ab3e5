package ingest

import (
	"errors"
	"net/http"
	"strings"
)

const (
	// jitsuPath is the folder that Jitsu's SDK sends to.
	jitsuPath = "/api/s/"
	// jitsuServerPath is where it sends to on a server: the visitor's address is not the
	// request's.
	jitsuServerPath = "/api/s/s2s/"
)

// jitsuKey returns the write key of Jitsu's SDK. It refuses keys without a colon, so that
// ours has something behind one.
func jitsuKey(r *http.Request) string {
	key, _, _ := strings.Cut(r.Header.Get("X-Write-Key"), ":")
	return key
}

// settings answers what the browser SDKs of Segment and Customer.io ask first: where to
// send. The host is the one that they asked. Each reads the integration that has its own
// name, without which it sends to its vendor. Neither entry has the type of a destination
// that runs in the browser: each SDK would load the other's entry as one.
func (t *Tracker) settings(w http.ResponseWriter, r *http.Request) {
	key := r.PathValue("key")
	if !t.knows(w, r, key) {
		return
	}
	scheme, host := "http", t.options.TrustedProxies.Host(r)
	if t.options.TrustedProxies.IsSecure(r) {
		scheme = "https"
	}
	target := map[string]any{"apiKey": key, "apiHost": host + "/v1", "protocol": scheme, "bundlingStatus": "bundled"}
	reply(w, http.StatusOK, map[string]any{
		"integrations":              map[string]any{"Segment.io": target, "Customer.io Data Pipelines": target},
		"plan":                      map[string]any{"track": map[string]any{"__default": map[string]any{"enabled": true}}},
		"enabledMiddleware":         map[string]any{},
		"remotePlugins":             []any{},
		"analyticsNextEnabled":      true,
		"middlewareSettings":        map[string]any{},
		"metrics":                   map[string]any{"sampleRate": 0},
		"legacyVideoPluginsEnabled": false,
	})
}

// sourceConfig answers what RudderStack's browser SDK asks first: that it may send,
// and has no other destinations.
func (t *Tracker) sourceConfig(w http.ResponseWriter, r *http.Request) {
	key := r.URL.Query().Get("writeKey")
	if user, _, ok := r.BasicAuth(); ok {
		key = user
	}
	if !t.knows(w, r, key) {
		return
	}
	reply(w, http.StatusOK, map[string]any{
		"source": map[string]any{
			"id": "goalgraph", "name": "Goalgraph", "writeKey": key, "enabled": true, "workspaceId": "goalgraph",
			"updatedAt": "2026-01-01T00:00:00.000Z", "dataplanes": map[string]any{}, "destinations": []any{}, "connections": []any{},
			"config": map[string]any{"statsCollection": map[string]any{
				"errors": map[string]any{"enabled": false}, "metrics": map[string]any{"enabled": false},
			}},
		},
	})
}

// knows tells whether there is such a key, and answers where there is none.
func (t *Tracker) knows(w http.ResponseWriter, r *http.Request, key string) bool {
	_, err := t.bearer(r, key)
	var refused *refusal
	switch {
	case err == nil:
		return true
	case errors.As(err, &refused):
		refuse(w, refused.status, refused.reason)
	default:
		t.options.Log.ErrorContext(r.Context(), "cannot look up a key", "error", err)
		refuse(w, http.StatusServiceUnavailable, "the key could not be looked up; send the request again")
	}
	return false
}
