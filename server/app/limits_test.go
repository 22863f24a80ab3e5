package app

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
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
