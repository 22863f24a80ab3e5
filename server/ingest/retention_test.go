package ingest

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/goalgraph/goalgraph/model"
	"github.com/goalgraph/goalgraph/model/store"
)

// What is older than the site keeps sessions is refused, with the reason, and takes nothing else with it.
func TestOlderThanTheSiteKeeps(t *testing.T) {
	days, kept := 30, 0
	tracker := NewTracker(TrackerOptions{
		Decoder: newTestDecoder(t),
		Pipeline: NewPipeline(PipelineOptions{Write: func(_ context.Context, _ int64, batch []model.Message) error {
			kept += len(batch)
			return nil
		}}),
		Sender: func(*http.Request, string) (*Sender, error) {
			return &Sender{Site: &model.Site{ID: 1, RetentionDays: &days}}, nil
		},
		Metrics: prometheus.NewRegistry(),
	})
	mux := http.NewServeMux()
	tracker.Register(mux)
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	message := func(ago int) string {
		return `{"type":"track","event":"E","anonymousId":"a","timestamp":"` + time.Now().AddDate(0, 0, -ago).Format(time.RFC3339) + `"}`
	}
	const reason = "is more than 30 days ago, and the site keeps nothing older"
	if status, said, _ := mustPost(t, server.URL+"/v1/batch", strings.NewReader(`{"batch":[`+message(29)+`,`+message(31)+`,`+message(1)+`]}`)); status != http.StatusOK ||
		!strings.Contains(said, `"index":1`) || !strings.Contains(said, reason) || kept != 2 {
		t.Errorf("%d, %s, %d are kept", status, said, kept)
	}
	if status, said, _ := mustPost(t, server.URL+"/v1/track", strings.NewReader(message(31))); status != http.StatusBadRequest || !strings.Contains(said, reason) || kept != 2 {
		t.Errorf("%d, %s, %d are kept", status, said, kept)
	}

	var notes strings.Builder
	got, err := Import(t.Context(), Options{
		Files: []string{writeFile(t, "a.log", logLines(5))}, Notes: &notes,
		Write: func(context.Context, []model.Message) (store.Written, error) {
			return store.Written{Duplicates: 1, Expired: 2}, nil
		},
	})
	if err != nil || got.Lines != 5 || got.Messages != 3 || got.Duplicates != 1 || got.Rejected != 2 || !strings.Contains(notes.String(), "2 of the rejected lines are older than their site keeps sessions") {
		t.Errorf("%+v, %v: %s", got, err, notes.String())
	}
}
