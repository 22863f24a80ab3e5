package ingest

import (
	"context"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/goalgraph/goalgraph/model"
)

// One bad message takes no good one with it, bots are counted, and what is kept has its
// place in the batch, and the batch's context.
func TestAnswerToBatch(t *testing.T) {
	var written []model.Message
	tracker, server := newTestTracker(t, 0, func(_ context.Context, _ int64, batch []model.Message) error {
		written = append(written, batch...)
		return nil
	})
	body := `{"sentAt":"2026-01-02T03:04:05Z","integrations":{"All":true},"context":{"library":{"name":"analytics-go","version":"3.3.0"},"locale":"ro"},"batch":[
		{"type":"track","event":"A","userId":"u","properties":{"value":"49.99"}},
		{"type":"track","event":"B","userId":"u","properties":{"value":"cheap"}},
		{"type":"page","name":"C","userId":"u","context":{"userAgent":"Googlebot/2.1 (+http://www.google.com/bot.html)"}},
		7,
		{"type":"track","event":"D","userId":"u","x":"` + strings.Repeat("x", MaxMessageBytes) + `"},
		{"type":"track","event":"E"},
		{"type":"group","userId":"u","groupId":"g"},
		{"type":"alias","userId":"u","previousId":"a"},
		{"type":"track","event":"F","userId":"u","timestamp":"1999-01-01T00:00:00Z"},
		{"type":"page","name":"G","userId":"u","integrations":{"All":false},"context":{"userAgent":"` + chrome + `","locale":"de"}}]}`
	status, said, _ := mustPost(t, server.URL+"/v1/batch", strings.NewReader(body))
	want := `{"success":true,"rejected":[` +
		`{"index":1,"reason":"properties.value: \"cheap\" is not a number; write one like 49.99"},` +
		`{"index":3,"reason":"not a JSON object"},` +
		`{"index":4,"reason":"the message is larger than 32 KiB"},` +
		`{"index":5,"reason":"anonymousId: anonymousId and userId are both missing; give at least one"},` +
		`{"index":8,"reason":"timestamp: 1999-01-01T00:00:00Z is more than 10 years ago, which only an import may bring; numbers are milliseconds since 1970"}],"bots":1}`
	if status != http.StatusOK || strings.TrimSpace(said) != want {
		t.Errorf("%d %s\nwant %s", status, said, want)
	}
	var places []int32
	for _, message := range written {
		places = append(places, message.Hit.Place)
		if message.Hit.Origin.IP != "" {
			t.Errorf("%+v has the address of the server that sent it", message)
		}
		if message.Hit.ID == (model.MessageID{}) || message.Hit.At == 0 {
			t.Errorf("%+v has no id or no time", message)
		}
	}
	if !slices.Equal(places, []int32{0, 7, 9}) {
		t.Errorf("what is kept has the places %v", places)
	}
	if a, g := written[0].Hit, written[2].Hit; a.Origin.Language != "ro" || g.Origin.Language != "de" || a.Value != 4999*model.One/100 {
		t.Errorf("kept %+v and %+v", a, g)
	}
	registry := prometheus.NewRegistry()
	registry.MustRegister(tracker.messages)
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	counted := map[string]float64{}
	for _, metric := range families[0].GetMetric() {
		counted[metric.GetLabel()[0].GetValue()] = metric.GetCounter().GetValue()
	}
	if want := map[string]float64{"kept": 3, "rejected": 5, "bot": 1, "ignored": 1}; !maps.Equal(counted, want) {
		t.Errorf("counted %v, want %v", counted, want)
	}
}

func TestAnswerToMessage(t *testing.T) {
	written := 0
	_, server := newTestTracker(t, 0, func(_ context.Context, _ int64, batch []model.Message) error {
		written += len(batch)
		return nil
	})
	for _, test := range []struct {
		path, body string
		status     int
		said       string
		written    int
	}{
		{"page", `{"anonymousId":"a","name":"p"}`, http.StatusOK, `{"success":true}`, 1},
		{"page", `{"anonymousId":"a","name":"p","context":{"userAgent":"curl/8.4.0"}}`, http.StatusOK, `{"success":true,"bots":1}`, 0},
		{"group", `{"userId":"u","groupId":"g"}`, http.StatusOK, `{"success":true}`, 0},
		{"track", `{"userId":"u","event":"E","properties":{"revenue":1e16}}`, http.StatusBadRequest, `{"success":false,"error":"properties.revenue: 1e16 is too large; a value lies between -9000000000000 and 9000000000000"}`, 0},
	} {
		written = 0
		status, said, _ := mustPost(t, server.URL+"/v1/"+test.path, strings.NewReader(test.body))
		if status != test.status || strings.TrimSpace(said) != test.said || written != test.written {
			t.Errorf("%s: %d %s, %d written; want %d %s, %d", test.body, status, said, written, test.status, test.said, test.written)
		}
	}
}
