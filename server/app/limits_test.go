package app

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"
)

// newBodyServer answers with what it has read of a request's body, in so many bytes at most.
func newBodyServer(t *testing.T, b *bodies, most int64) (address string) {
	t.Helper()
	server := httptest.NewServer(b.within(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n, err := io.Copy(io.Discard, http.MaxBytesReader(nil, r.Body, most))
		switch {
		case err == nil:
			fmt.Fprintf(w, "read %d", n)
		case strings.Contains(err.Error(), "too large"):
			http.Error(w, "too large", http.StatusRequestEntityTooLarge)
		default:
			http.Error(w, err.Error(), http.StatusRequestTimeout)
		}
	})))
	t.Cleanup(server.Close)
	return server.Listener.Addr().String()
}

func exchange(t *testing.T, address, request string) (*http.Response, *bufio.Reader) {
	t.Helper()
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(conn, request); err != nil {
		t.Fatal(err)
	}
	reader := bufio.NewReader(conn)
	response, err := http.ReadResponse(reader, nil)
	if err != nil {
		t.Fatal(err)
	}
	return response, reader
}

// A body that stalls is answered, and its connection is closed.
func TestBodyThatStalls(t *testing.T) {
	t.Parallel()
	for name, request := range map[string]string{
		"length": "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\nx",
		"chunks": "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n",
		// It is not another protocol because its client says so.
		"upgrade": "POST / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nContent-Length: 100\r\n\r\nx",
	} {
		response, rest := exchange(t, newBodyServer(t, newBodies(100*time.Millisecond), 1<<20), request)
		if response.StatusCode != http.StatusRequestTimeout || !response.Close {
			t.Errorf("%s: %d, closes: %v", name, response.StatusCode, response.Close)
		}
		_, _ = io.Copy(io.Discard, response.Body)
		if _, err := rest.ReadByte(); err != io.EOF {
			t.Errorf("%s: the connection is open: %v", name, err)
		}
	}
}

// What has not arrived when the server stops ends soon.
func TestBodyThatStallsAtTheEnd(t *testing.T) {
	t.Parallel()
	b := newBodies(time.Hour)
	address := newBodyServer(t, b, 1<<20)
	b.stop()
	response, _ := exchange(t, address, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\nx")
	if response.StatusCode != http.StatusRequestTimeout {
		t.Errorf("%d", response.StatusCode)
	}
}

// Who sends too much reads that it is too much, and not that the connection was reset.
func TestBodyThatIsTooLarge(t *testing.T) {
	t.Parallel()
	address := newBodyServer(t, newBodies(time.Minute), 1000)
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+address, strings.NewReader(strings.Repeat("x", 10<<20)))
	if err != nil {
		t.Fatal(err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusRequestEntityTooLarge {
		t.Errorf("%d", response.StatusCode)
	}
	// What arrives in time is read, on one connection after another request.
	reply, rest := exchange(t, address, strings.Repeat("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc", 2))
	for i := range 2 {
		if i > 0 {
			if reply, err = http.ReadResponse(rest, nil); err != nil {
				t.Fatal(err)
			}
		}
		if text, err := io.ReadAll(reply.Body); err != nil || string(text) != "read 3" {
			t.Errorf("%q %v", text, err)
		}
	}
}

// newAnswerServer answers with so many bytes when it may, over either HTTP, and tells how writing ended.
func newAnswerServer(t *testing.T, limit time.Duration, bytes int, wait func(http.ResponseWriter)) (server *httptest.Server, ended chan error) {
	t.Helper()
	ended = make(chan error, 10)
	server = httptest.NewUnstartedServer(answerWithin(limit, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		wait(w)
		_, err := w.Write(make([]byte, bytes))
		ended <- err
	})))
	server.EnableHTTP2 = true
	server.StartTLS()
	t.Cleanup(server.Close)
	return server, ended
}

// start sends a request over HTTP/1 or HTTP/2, and does not read the answer.
func start(t *testing.T, server *httptest.Server, is2 bool) (*http.Response, error) {
	t.Helper()
	client := server.Client()
	client.Transport.(*http.Transport).ForceAttemptHTTP2 = is2
	if !is2 {
		client.Transport.(*http.Transport).Protocols = new(http.Protocols)
		client.Transport.(*http.Transport).Protocols.SetHTTP1(true)
	}
	response, err := client.Get(server.URL)
	if err != nil {
		return nil, err
	}
	t.Cleanup(func() { response.Body.Close() })
	if got := response.ProtoMajor == 2; got != is2 {
		t.Fatalf("the answer comes by %s", response.Proto)
	}
	return response, nil
}

// A client that does not read is cut off, whatever its answer is, whether the whole has a bound or not.
func TestClientWhoDoesNotRead(t *testing.T) {
	t.Parallel()
	for _, is2 := range []bool{false, true} {
		for name, test := range map[string]struct{ part, whole time.Duration }{"part": {100 * time.Millisecond, 0}, "whole": {time.Hour, 100 * time.Millisecond}} {
			server, ended := newAnswerServer(t, test.part, 32<<20, func(w http.ResponseWriter) {
				if test.whole == 0 {
					return
				}
				if err := http.NewResponseController(w).SetWriteDeadline(time.Now().Add(test.whole)); err != nil {
					t.Error(err)
				}
			})
			response, err := start(t, server, is2)
			select {
			case err := <-ended:
				if err == nil {
					t.Errorf("HTTP/2 %v, %s: the whole answer is written", is2, name)
				}
			case <-time.After(time.Minute):
				t.Fatalf("HTTP/2 %v, %s: the answer is still being written", is2, name)
			}
			if err == nil { // or the client has seen nothing of the answer before it ended
				_, err = io.Copy(io.Discard, response.Body)
			}
			if err == nil {
				t.Errorf("HTTP/2 %v, %s: the answer is whole", is2, name)
			}
		}
	}
}

// The time that an answer takes to be made does not count.
func TestAnswerThatTakesLong(t *testing.T) {
	t.Parallel()
	const part = time.Second
	for _, is2 := range []bool{false, true} {
		server, ended := newAnswerServer(t, part, 10, func(http.ResponseWriter) { <-time.After(part + part/4) })
		response, err := start(t, server, is2)
		if err != nil {
			t.Fatal(err)
		}
		if text, err := io.ReadAll(response.Body); len(text) != 10 || err != nil {
			t.Errorf("HTTP/2 %v: %d bytes, %v", is2, len(text), err)
		}
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}
}

// deadlines notes the deadlines by which parts of an answer are written.
type deadlines struct {
	*httptest.ResponseRecorder
	now     time.Time
	written []time.Duration // from the start, the parts' deadlines
}

func (d *deadlines) SetWriteDeadline(at time.Time) error {
	d.now = at
	return nil
}

func (d *deadlines) Write(part []byte) (int, error) {
	d.written = append(d.written, time.Until(d.now).Round(time.Hour))
	return d.ResponseRecorder.Write(part)
}

// Each part of an answer has a deadline of its own, and none is left but that of the whole.
func TestPartsOfAnAnswer(t *testing.T) {
	const hours = time.Hour
	for _, test := range []struct {
		whole time.Duration
		want  []time.Duration
	}{{0, []time.Duration{10 * hours, 10 * hours, 10 * hours}}, {2 * hours, []time.Duration{2 * hours, 2 * hours, 2 * hours}}, {20 * hours, []time.Duration{10 * hours, 10 * hours, 10 * hours}}} {
		d := &deadlines{ResponseRecorder: httptest.NewRecorder()}
		var whole time.Time
		answerWithin(10*hours, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			if test.whole > 0 {
				whole = time.Now().Add(test.whole)
				_ = http.NewResponseController(w).SetWriteDeadline(whole)
			}
			if n, err := w.Write(make([]byte, 2*partBytes+1)); n != 2*partBytes+1 || err != nil {
				t.Errorf("%d are written, %v", n, err)
			}
			if !d.now.Equal(whole) {
				t.Errorf("after writing, the deadline is %v, want %v", d.now, whole)
			}
		})).ServeHTTP(d, httptest.NewRequest(http.MethodGet, "/", nil))
		if !slices.Equal(d.written, test.want) {
			t.Errorf("the parts have %v, want %v", d.written, test.want)
		}
		if d.now.IsZero() {
			t.Error("what the server writes in the end has no deadline")
		}
	}
}

// Connections that do nothing make room for those that ask.
func TestMostConnections(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	c := newConnections(listener.(*net.TCPListener), 10)
	server := &http.Server{ConnState: c.note, ReadHeaderTimeout: time.Minute, Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "ok") })}
	go func() { _ = server.Serve(c) }()
	t.Cleanup(func() { server.Close() })
	address := listener.Addr().String()
	for range 50 {
		conn, err := net.Dial("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
	}
	for range 20 {
		if response, _ := exchange(t, address, "GET / HTTP/1.1\r\nHost: a\r\n\r\n"); response.StatusCode != http.StatusOK {
			t.Errorf("%d", response.StatusCode)
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.open > 10 || c.idle.Len() > 10 {
		t.Errorf("%d connections are open, %d idle", c.open, c.idle.Len())
	}
}

func TestShareOfDescriptors(t *testing.T) {
	for descriptors, want := range map[uint64][2]int{1024: {896, 672}, 65536: {57344, 43008}, 100: {50, 37}, 1 << 62: {917504, 688128}} {
		if most, lasting := mostConnections(descriptors); most != want[0] || lasting != want[1] {
			t.Errorf("of %d descriptors: %d, %d", descriptors, most, lasting)
		}
	}
}
