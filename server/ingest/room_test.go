package ingest

import (
	"bytes"
	"cmp"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/goalgraph/goalgraph/model"
)

// newTestTracker returns a tracker of one site whose messages write takes, as a server.
func newTestTracker(t *testing.T, roomBytes int64, write func(context.Context, int64, []model.Message) error) (*Tracker, *httptest.Server) {
	t.Helper()
	tracker := NewTracker(TrackerOptions{
		Decoder: newTestDecoder(t), Pipeline: NewPipeline(PipelineOptions{Write: write}), RoomBytes: roomBytes,
		Sender: func(*http.Request, string) (*Sender, error) {
			return &Sender{Site: &model.Site{ID: 1, Bots: model.ExcludeBots}}, nil
		},
		Metrics: prometheus.NewRegistry(),
	})
	mux := http.NewServeMux()
	tracker.Register(mux)
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	return tracker, server
}

func mustPost(t *testing.T, url string, body io.Reader) (status int, said string, header http.Header) {
	t.Helper()
	response, err := http.Post(url, "application/json", body)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, string(text), response.Header
}

// Where requests hold as much as they may, the next is to come again, and all of the
// room is free when they are answered.
func TestRoom(t *testing.T) {
	written := 0
	tracker, server := newTestTracker(t, 100<<10, func(_ context.Context, _ int64, batch []model.Message) error {
		written += len(batch)
		return nil
	})
	one := `{"anonymousId":"a","type":"page","name":"p"}`
	batch := func(n int) string { return `{"batch":[` + strings.Repeat(one+",", n-1) + one + `]}` }
	status, said, header := mustPost(t, server.URL+withKey, strings.NewReader(batch(200)))
	if status != http.StatusServiceUnavailable || header.Get("Retry-After") == "" || written != 0 {
		t.Errorf("messages beyond the room: %d %s, %d written", status, said, written)
	}
	long := `{"batch":[],"x":"` + strings.Repeat("x", 150<<10) + `"}`
	if status, said, _ = mustPost(t, server.URL+withKey, strings.NewReader(long)); status != http.StatusServiceUnavailable {
		t.Errorf("a body beyond the room: %d %s", status, said)
	}
	if status, said, _ = mustPost(t, server.URL+"/v1/batch", strings.NewReader(batch(20))); status != http.StatusOK || written != 20 {
		t.Errorf("within the room: %d %s, %d written", status, said, written)
	}
	mustBeFree(t, tracker)
}

// withKey is the path of batches, with a key.
const withKey = "/v1/batch?writeKey=key"

func mustBeFree(t *testing.T, tracker *Tracker) {
	t.Helper()
	for name, r := range map[string]*room{"room": tracker.room, "strangers": tracker.strangers} {
		if r.taken != 0 || len(r.held) != 0 {
			t.Errorf("%s: %d bytes are still taken, by %v", name, r.taken, r.held)
		}
	}
}

// newKeyedTracker returns a tracker with 8 MiB of room, which takes the keys that begin with "key".
func newKeyedTracker(t *testing.T) (*Tracker, http.Handler) {
	t.Helper()
	tracker := NewTracker(TrackerOptions{
		Decoder: newTestDecoder(t), RoomBytes: 8 << 20,
		Pipeline: NewPipeline(PipelineOptions{Write: func(context.Context, int64, []model.Message) error { return nil }}),
		Sender: func(_ *http.Request, key string) (*Sender, error) {
			if !strings.HasPrefix(key, "key") {
				return nil, model.Errorf(model.Unauthenticated, "the key is unknown")
			}
			return &Sender{ID: key, Site: &model.Site{ID: 1, Bots: model.ExcludeBots}}, nil
		},
		Metrics: prometheus.NewRegistry(),
	})
	mux := http.NewServeMux()
	tracker.Register(mux)
	return tracker, mux
}

// batchOf returns a batch of so many bytes, with a key inside or none, of which nothing is kept.
func batchOf(bytes int, key string) string {
	return `{"batch":[],"writeKey":"` + key + `","x":"` + strings.Repeat("x", bytes) + `"}`
}

// unread is a body that must not be read.
type unread struct{ *testing.T }

func (u unread) Read([]byte) (int, error) {
	u.Error("the body of who has no key is read")
	return 0, io.EOF
}

// Who has no key is refused before any of the body is read.
func TestKeyComesBeforeTheBody(t *testing.T) {
	tracker, handler := newKeyedTracker(t)
	for name, set := range map[string]func(*http.Request){
		"Basic":  func(r *http.Request) { r.SetBasicAuth("wrong", "") },
		"Bearer": func(r *http.Request) { r.Header.Set("Authorization", "Bearer wrong") },
		"header": func(r *http.Request) { r.Header.Set("X-Write-Key", "wrong:x") },
		"query":  func(r *http.Request) { r.URL.RawQuery = "writeKey=wrong" },
	} {
		request := httptest.NewRequest(http.MethodPost, "/v1/batch", unread{t})
		set(request)
		response := httptest.NewRecorder()
		handler.ServeHTTP(response, request)
		if response.Code != http.StatusUnauthorized {
			t.Errorf("%s: %d %s", name, response.Code, response.Body)
		}
	}
	mustBeFree(t, tracker)
}

// Senders who do not end their bodies hold no more than their share, and keep nobody else out: neither who has a key, nor
// who has none outside of the body, nor anybody whose request is small.
func TestSharesOfTheRoom(t *testing.T) {
	const large, address, otherAddress = 100 << 10, "192.0.2.1:1", "192.0.2.2:1"
	for _, test := range []struct {
		name          string
		path, address string // of those who do not end
		// beside them are requests of others, with their statuses.
		beside map[[2]string]int
	}{
		{"of a stranger", "/v1/batch", address, map[[2]string]int{
			{"/v1/batch", address}: 503, {"/v1/batch", otherAddress}: 200, {withKey, address}: 200,
		}},
		{"of strangers", "/v1/batch", "", map[[2]string]int{
			{"/v1/batch", otherAddress}: 503, {withKey, otherAddress}: 200,
		}},
		{"of a key", withKey, "", map[[2]string]int{
			{withKey, otherAddress}: 503, {withKey + "2", otherAddress}: 200,
		}},
		{"of an address", withKey + "%d", address, map[[2]string]int{
			{withKey, address}: 503, {withKey, otherAddress}: 200,
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			tracker, handler := newKeyedTracker(t)
			serve := func(path, address string, body io.Reader) int {
				request := httptest.NewRequest(http.MethodPost, path, body)
				request.RemoteAddr = address
				response := httptest.NewRecorder()
				handler.ServeHTTP(response, request)
				return response.Code
			}
			var sending sync.WaitGroup
			defer sending.Wait()
			end := make(chan struct{})
			defer close(end)
			for n := range 100 {
				path, from := test.path, cmp.Or(test.address, fmt.Sprintf("192.0.2.%d:1", 10+n))
				if strings.Contains(path, "%d") {
					path = fmt.Sprintf(path, n)
				}
				begin, arrived := strings.NewReader(batchOf(large, "key")[:large]), make(chan struct{})
				body := io.MultiReader(begin, readerFunc(func([]byte) (int, error) {
					close(arrived)
					<-end
					return 0, io.EOF
				}))
				sending.Go(func() {
					serve(path, from, body)
					select {
					case <-arrived:
					default:
						close(arrived) // it was refused before
					}
				})
				<-arrived
			}
			if taken := tracker.room.inUse() + tracker.strangers.inUse(); taken > 8<<20 {
				t.Errorf("%d bytes are taken", taken)
			}
			for who, want := range test.beside {
				if got := serve(who[0], who[1], strings.NewReader(batchOf(large, "key"))); got != want {
					t.Errorf("beside them, %v is answered %d, want %d", who, got, want)
				}
				if got := serve(who[0], who[1], strings.NewReader(batchOf(15<<10, "key"))); got != http.StatusOK {
					t.Errorf("beside them, a small request of %v is answered %d", who, got)
				}
			}
		})
	}
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(into []byte) (int, error) { return f(into) }

// A large body needs its key outside.
func TestLongBodyOfAStranger(t *testing.T) {
	tracker, handler := newKeyedTracker(t)
	for path, want := range map[string]int{"/v1/batch": http.StatusRequestEntityTooLarge, withKey: http.StatusOK} {
		response := httptest.NewRecorder()
		handler.ServeHTTP(response, httptest.NewRequest(http.MethodPost, path, strings.NewReader(batchOf(MaxStrangerBytes, "key"))))
		if response.Code != want {
			t.Errorf("%s: %d %s", path, response.Code, response.Body)
		}
	}
	mustBeFree(t, tracker)
}

// Who sends no more is told nothing while his messages are not kept: an answer without
// a word would be a 200.
func TestSenderWhoSendsNoMore(t *testing.T) {
	begun, release := make(chan struct{}), make(chan struct{})
	defer close(release)
	_, server := newTestTracker(t, 0, func(context.Context, int64, []model.Message) error {
		close(begun)
		<-release
		return errors.New("it cannot be written")
	})
	conn, err := net.Dial("tcp", server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	const body = `{"anonymousId":"a","name":"p"}`
	fmt.Fprintf(conn, "POST /v1/page HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
	<-begun
	if err := conn.(*net.TCPConn).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	if said, err := io.ReadAll(conn); err != nil || len(said) > 0 {
		t.Errorf("told %q, %v", said, err)
	}
}

// A body of very many things that are no messages is refused as a whole, with a short
// answer.
func TestTooManyMessages(t *testing.T) {
	_, server := newTestTracker(t, 0, func(context.Context, int64, []model.Message) error { return nil })
	status, said, _ := mustPost(t, server.URL+withKey, strings.NewReader(`{"batch":[`+strings.Repeat("0,", 200_000)+`0]}`))
	if status != http.StatusRequestEntityTooLarge || !strings.Contains(said, "200001") || len(said) > 200 {
		t.Errorf("%d %.300s", status, said)
	}
}

// Whatever a body unpacks to, or how its JSON is built, it takes little memory in all.
func TestHostileBodies(t *testing.T) {
	tracker, _ := newTestTracker(t, 0, func(context.Context, int64, []model.Message) error { return nil })
	mux := http.NewServeMux()
	tracker.Register(mux)
	var mebibyte bytes.Buffer
	w := gzip.NewWriter(&mebibyte)
	if _, err := w.Write(bytes.Repeat([]byte(" "), 1<<20)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	in := func(x string) string {
		return `{"batch":[{"type":"track","event":"E","userId":"u","properties":` + x + `}]}`
	}
	const deep = 100_000
	for name, test := range map[string]struct {
		body, encoding string
		status         int
	}{
		"bomb":               {strings.Repeat(mebibyte.String(), 400), "gzip", 413},
		"deep lists":         {in(strings.Repeat("[", deep) + strings.Repeat("]", deep)), "", 400},
		"deep objects":       {in(strings.Repeat(`{"":`, deep) + "0" + strings.Repeat("}", deep)), "", 400},
		"never closed":       {in(strings.Repeat(`{"a":[`, 80_000)), "", 400},
		"long number":        {in(`{"value":` + strings.Repeat("9", 400_000) + `}`), "", 200},
		"long exponent":      {in(`{"value":1e` + strings.Repeat("9", 20_000) + `}`), "", 200},
		"many names":         {in(`{` + strings.Repeat(`"a":0,`, 80_000) + `"a":0}`), "", 200},
		"NUL":                {in("{\"a\":\"" + strings.Repeat("\x00", 400_000) + "\"}"), "", 400},
		"NUL, escaped":       {in(`{"tags":"` + strings.Repeat(`\u0000`, 5_000) + `"}`), "", 200},
		"invalid UTF-8":      {in(`{"tags":"` + strings.Repeat("\xff", 30_000) + `"}`), "", 200},
		"lone surrogates":    {in(`{"tags":"` + strings.Repeat(`\udc00`, 5_000) + `"}`), "", 200},
		"things of no kind":  {`{"batch":[` + strings.Repeat("0,", MaxBatchMessages-1) + `0]}`, "", 200},
		"batches in batches": {strings.Repeat(`{"batch":[`, 9_000) + strings.Repeat("]}", 9_000), "", 400},
	} {
		t.Run(name, func(t *testing.T) {
			request := httptest.NewRequest(http.MethodPost, withKey, strings.NewReader(test.body))
			request.Header.Set("Content-Encoding", test.encoding)
			response := httptest.NewRecorder()
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			mux.ServeHTTP(response, request)
			runtime.ReadMemStats(&after)
			const most = 24 << 20
			if taken := after.TotalAlloc - before.TotalAlloc; response.Code != test.status || taken > most {
				t.Errorf("status %d, want %d; %d KiB were taken: %.200s", response.Code, test.status, taken>>10, response.Body)
			} else {
				t.Logf("%d KiB were taken", taken>>10)
			}
		})
	}
}

// A request whose messages cannot be written does not take those along that were to be
// written with them.
func TestPipelineSparesOthers(t *testing.T) {
	begun, release := make(chan int, 10), make(chan struct{})
	p := NewPipeline(PipelineOptions{Write: func(_ context.Context, _ int64, batch []model.Message) error {
		begun <- len(batch)
		<-release
		for _, message := range batch {
			if message.UserID == "poison" {
				return errors.New("it cannot be written")
			}
		}
		return nil
	}})
	answers := map[string]chan error{}
	submit := func(user string) {
		answers[user] = make(chan error, 1)
		go func() { answers[user] <- p.Submit(t.Context(), 1, []model.Message{{UserID: user}}, 10) }()
	}
	submit("first")
	<-begun
	for i, user := range []string{"ann", "poison", "bob"} {
		submit(user)
		for p.Queued() < int64(10*(i+2)) {
			runtime.Gosched()
		}
	}
	close(release)
	for _, want := range []int{3, 1, 1, 1} {
		if n := <-begun; n != want {
			t.Errorf("%d messages in a transaction, want %d", n, want)
		}
	}
	for user, answer := range answers {
		if err := <-answer; (err != nil) != (user == "poison") {
			t.Errorf("%s: %v", user, err)
		}
	}
	if p.Queued() != 0 {
		t.Errorf("%d bytes wait", p.Queued())
	}
}

// A transaction that hangs ends, and gives its turn back.
func TestPipelineWriteLimit(t *testing.T) {
	p := NewPipeline(PipelineOptions{Transactions: 1, WriteLimit: 10 * time.Millisecond, Write: func(ctx context.Context, site int64, _ []model.Message) error {
		if site == 1 {
			<-ctx.Done()
			return ctx.Err()
		}
		return nil
	}})
	if err := p.Submit(t.Context(), 1, messages(1), 1); !errors.Is(err, context.DeadlineExceeded) {
		t.Error(err)
	}
	if err := p.Submit(t.Context(), 2, messages(1), 1); err != nil {
		t.Error(err)
	}
}
