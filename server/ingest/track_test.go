package ingest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/goalgraph/goalgraph/model"
)

// FuzzTrack sends whatever body: it is answered by a status that says what was
// wrong, and never by one that says that we were.
func FuzzTrack(f *testing.F) {
	f.Add("/v1/batch", "", []byte(`{"batch":[{"type":"track","event":"E","anonymousId":"a"}],"sentAt":"2026-01-01T00:00:00Z"}`))
	f.Add("/v1/t", "gzip", []byte("\x1f\x8b\x08\x00"))
	f.Add("/v1/page", "", []byte(`{"anonymousId":"a","properties":{"path":"/","tags":["a",1,null]}}`))
	f.Add("/v1/identify", "", []byte(`{"userId":1e400,"traits":{"a":{"b":[]}}}`))
	f.Add("/v1/b", "identity", []byte(`{"batch":null,"writeKey":7}`))
	decoder, err := NewDecoder(nil)
	if err != nil {
		f.Fatal(err)
	}
	tracker := NewTracker(TrackerOptions{
		Decoder: decoder,
		Pipeline: NewPipeline(PipelineOptions{Write: func(_ context.Context, _ int64, batch []model.Message) error {
			for _, message := range batch {
				if message.AnonymousID == "" && message.UserID == "" {
					return errors.New("a message of nobody")
				}
			}
			return nil
		}}),
		Sender: func(*http.Request, string) (*Sender, error) {
			return &Sender{Site: &model.Site{ID: 1, Bots: model.ExcludeBots}}, nil
		},
		Metrics: prometheus.NewRegistry(),
	})
	mux := http.NewServeMux()
	tracker.Register(mux)
	f.Fuzz(func(t *testing.T, path, encoding string, body []byte) {
		request, err := http.NewRequest(http.MethodPost, "http://localhost/", bytes.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		request.URL.Path = path
		request.Header.Set("Content-Encoding", encoding)
		request.Header.Set("SentAt", encoding)
		response := httptest.NewRecorder()
		mux.ServeHTTP(response, request)
		if response.Code >= 500 {
			t.Fatalf("%s %q: status %d, %s", path, body, response.Code, response.Body)
		}
	})
}

func messages(n int) []model.Message { return make([]model.Message, n) }

// Each path names the type of a message that names none; what a message says of itself
// goes first.
func TestPaths(t *testing.T) {
	var kept []model.Message
	_, server := newTestTracker(t, 0, func(_ context.Context, _ int64, batch []model.Message) error {
		kept = append(kept, batch...)
		return nil
	})
	const body = `{"userId":"u","previousId":"p","event":"E","name":"N"}`
	for path, want := range map[string]model.Message{
		"track": {Hit: model.Hit{Kind: model.Event, Name: "E"}}, "page": {Hit: model.Hit{Kind: model.PageView, Name: "N"}},
		"screen": {Hit: model.Hit{Kind: model.PageView, Name: "N"}}, "identify": {Hit: model.Hit{Kind: model.Traits}}, "alias": {AnonymousID: "p"}, "group": {},
	} {
		for _, path := range []string{path, path[:1]} {
			kept = nil
			if status, said, _ := mustPost(t, server.URL+"/v1/"+path, strings.NewReader(body)); status != http.StatusOK {
				t.Errorf("%s: %d %s", path, status, said)
			}
			if path[0] == 'g' { // tells nothing that is counted
				if len(kept) != 0 {
					t.Errorf("%s: kept %+v", path, kept)
				}
				continue
			}
			if len(kept) != 1 || kept[0].Hit.Kind != want.Hit.Kind || kept[0].Hit.Name != want.Hit.Name || kept[0].AnonymousID != want.AnonymousID || kept[0].UserID != "u" {
				t.Errorf("%s: kept %+v, want %+v", path, kept, want)
			}
		}
	}
	for _, path := range []string{"batch", "b", "track"} {
		kept = nil
		status, said, _ := mustPost(t, server.URL+"/v1/"+path, strings.NewReader(`{"batch":[{"type":"page","userId":"u","name":"N"}]}`))
		if status != http.StatusOK || len(kept) != 1 || kept[0].Hit.Kind != model.PageView {
			t.Errorf("%s: %d %s, kept %+v", path, status, said, kept)
		}
	}
}

// While one transaction of a site is under way its messages gather for the next, a
// site whose transactions hang holds no other up, and the room of one is bounded.
func TestPipeline(t *testing.T) {
	const slow, other = 1, 2
	begun, release := make(chan int, 100), make(chan struct{})
	p := NewPipeline(PipelineOptions{
		Transactions: 2, QueueBytes: 1000, BatchMessages: 30,
		Write: func(_ context.Context, site int64, batch []model.Message) error {
			if site == slow {
				begun <- len(batch)
				<-release
			}
			return nil
		},
	})
	var waiting sync.WaitGroup
	submit := func(n int, bytes int64) {
		waiting.Go(func() {
			if err := p.Submit(t.Context(), slow, messages(n), bytes); err != nil {
				t.Error(err)
			}
		})
	}
	submit(1, 100)
	if got := <-begun; got != 1 {
		t.Fatalf("%d messages in the first transaction", got)
	}
	for range 4 {
		submit(10, 100)
	}
	for p.Queued() < 500 {
		runtime.Gosched()
	}
	if err := p.Submit(t.Context(), slow, messages(1), 1); !errors.Is(err, ErrBusy) {
		t.Errorf("a site with half of the room: %v", err)
	}
	if err := p.Submit(t.Context(), other, messages(1), 400); err != nil {
		t.Errorf("another site: %v", err)
	}
	if err := p.Submit(t.Context(), other, messages(1), 501); !errors.Is(err, ErrBusy) {
		t.Errorf("another site, with more than half of the room: %v", err)
	}
	for _, want := range []int{30, 10} {
		release <- struct{}{}
		if got := <-begun; got != want {
			t.Errorf("%d messages in a transaction, want %d", got, want)
		}
	}
	closing, cancel := context.WithCancel(t.Context())
	cancel()
	if err := p.Close(closing); !errors.Is(err, context.Canceled) {
		t.Errorf("Close while a transaction hangs: %v", err)
	}
	close(release)
	if err := p.Close(t.Context()); err != nil {
		t.Error(err)
	}
	waiting.Wait()
	if err := p.Submit(t.Context(), other, messages(1), 1); !errors.Is(err, ErrClosed) || p.Queued() != 0 {
		t.Errorf("closed: %v, %d bytes wait", err, p.Queued())
	}
}

// A site that always has more to write does not keep the turn: another one's messages
// are written by the next transaction.
func TestPipelineTakesTurns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const busy, other = 1, 2
		begun, release := make(chan int64, 10), make(chan struct{})
		p := NewPipeline(PipelineOptions{Transactions: 1, BatchMessages: 10, Write: func(_ context.Context, site int64, _ []model.Message) error {
			begun <- site
			<-release
			return nil
		}})
		submit := func(site int64) {
			go func() {
				if err := p.Submit(t.Context(), site, messages(10), 1); err != nil {
					t.Error(err)
				}
			}()
			synctest.Wait()
		}
		for range 3 {
			submit(busy)
		}
		submit(other)
		submit(busy)
		for n, want := range []int64{busy, other, busy, busy, busy} {
			if got := <-begun; got != want {
				t.Errorf("transaction %d is of site %d, want %d", n, got, want)
			}
			release <- struct{}{}
			synctest.Wait()
		}
	})
}

// Who asks is told of the failure of the transaction that holds his messages, and of
// no other.
func TestPipelineFails(t *testing.T) {
	p := NewPipeline(PipelineOptions{Write: func(_ context.Context, site int64, _ []model.Message) error {
		if site%2 == 1 {
			return fmt.Errorf("site %d", site)
		}
		return nil
	}})
	var all sync.WaitGroup
	for site := range int64(50) {
		all.Go(func() {
			err := p.Submit(t.Context(), site, messages(3), 10)
			if (err != nil) != (site%2 == 1) || err != nil && err.Error() != fmt.Sprintf("site %d", site) {
				t.Errorf("site %d: %v", site, err)
			}
		})
	}
	all.Wait()
	done, cancel := context.WithCancel(t.Context())
	cancel()
	if err := p.Submit(done, 0, messages(1), 1); err != nil && !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}
