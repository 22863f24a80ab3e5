package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/goalgraph/goalgraph/model"
)

// agents are user agents as browsers send them, with what the server reads from them.
var agents = []struct {
	browser, system string
	device          model.Device
	text            string
}{
	{"Chrome", "Windows", model.Desktop, "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36"},
	{"Safari", "iOS", model.Mobile, "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.5 Mobile/15E148 Safari/604.1"},
	{"Chrome", "Android", model.Mobile, "Mozilla/5.0 (Linux; Android 14; Pixel 8) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Mobile Safari/537.36"},
	{"Edge", "Windows", model.Desktop, "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36 Edg/126.0.0.0"},
	{"Safari", "macOS", model.Desktop, "Mozilla/5.0 (Macintosh; Intel Mac OS X 14_5) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.5 Safari/605.1.15"},
	{"Firefox", "Linux", model.Desktop, "Mozilla/5.0 (X11; Linux x86_64; rv:127.0) Gecko/20100101 Firefox/127.0"},
	{"Opera", "Windows", model.Desktop, "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/125.0.0.0 Safari/537.36 OPR/111.0.0.0"},
}

// wireMessage is a message of the Segment tracking spec, as its SDKs send it.
type wireMessage struct {
	Type        string         `json:"type"`
	MessageID   string         `json:"messageId"`
	AnonymousID string         `json:"anonymousId"`
	Timestamp   string         `json:"timestamp"`
	Event       string         `json:"event,omitempty"`
	Properties  map[string]any `json:"properties"`
	Context     wireContext    `json:"context"`
}

type wireContext struct {
	IP        string            `json:"ip"`
	Locale    string            `json:"locale"`
	UserAgent string            `json:"userAgent"`
	Location  map[string]string `json:"location"`
	Page      map[string]string `json:"page,omitempty"`
	Campaign  map[string]string `json:"campaign,omitempty"`
}

func wireOf(m *model.Message) wireMessage {
	at, origin := m.Hit.At.Time(), &m.Hit.Origin
	w := wireMessage{
		Type: "page", MessageID: fmt.Sprintf("%s at %d", m.AnonymousID, m.Hit.At), AnonymousID: m.AnonymousID, Timestamp: at.Format(time.RFC3339Nano),
		Properties: map[string]any{}, Context: wireContext{IP: origin.IP, Locale: origin.Language, Location: map[string]string{"country": origin.Country}},
	}
	for _, agent := range agents {
		if agent.browser == origin.Browser && agent.system == origin.OS && agent.device == origin.Device {
			w.Context.UserAgent = agent.text
		}
	}
	if m.Hit.Kind == model.Event {
		w.Type, w.Event = "track", m.Hit.Name
		if m.Hit.HasValue {
			w.Properties["value"] = m.Hit.Value
		}
	} else {
		w.Properties["path"] = m.Hit.Name
	}
	if len(m.Hit.Tags) > 0 {
		w.Properties["tags"] = m.Hit.Tags
	}
	if origin.Referrer != "" {
		w.Context.Page = map[string]string{"referrer": "https://" + origin.Referrer + "/"}
	}
	if utm := origin.UTM; utm.Source != "" {
		w.Context.Campaign = map[string]string{"source": utm.Source, "medium": utm.Medium, "name": utm.Campaign}
	}
	return w
}

// batchMessages is the number of messages in a request, which must stay under 500 KiB.
const batchMessages = 500

// bodies returns the bodies of requests that send the messages.
func bodies(messages []model.Message) (bodies [][]byte, err error) {
	for len(messages) > 0 {
		var batch struct {
			Batch []wireMessage `json:"batch"`
		}
		n := min(len(messages), batchMessages)
		for i := range messages[:n] {
			batch.Batch = append(batch.Batch, wireOf(&messages[i]))
		}
		messages = messages[n:]
		body, err := json.Marshal(batch)
		if err != nil {
			return nil, err
		}
		bodies = append(bodies, body)
	}
	return bodies, nil
}

// track sends the requests one after the other and returns when the last is acknowledged.
func (s *server) track(ctx context.Context, bodies [][]byte) error {
	for _, body := range bodies {
		request, err := http.NewRequestWithContext(ctx, http.MethodPost, s.url+"/v1/batch", bytes.NewReader(body))
		if err != nil {
			return err
		}
		request.Header.Set("Content-Type", "application/json")
		request.SetBasicAuth(domain, "")
		response, err := s.client.Do(request)
		if err != nil {
			return err
		}
		answer, err := io.ReadAll(response.Body)
		response.Body.Close()
		if err != nil {
			return err
		}
		if accepted := `{"success":true}`; string(bytes.TrimSpace(answer)) != accepted {
			return fmt.Errorf("%s: %s in place of %s", response.Status, answer, accepted)
		}
	}
	return nil
}
