//go:build system

// This file attacks the server for attack_test.go, which runs it, so it has the tag system: see main_test.go.
package main

import (
	"bufio"
	"bytes"
	"context"
	wire "encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"regexp"
	"strings"
	"sync"
	"time"
)

// attackVariable is the environment variable by which a process is an attacker, with an assault as JSON.
const attackVariable = "GOALGRAPH_ATTACK"

// assault is what an attacker does, in a process of its own: those who attack a server do not use its processors.
type assault struct {
	// Name is that of the attack.
	Name string
	// Address is the server's, Key one that may read, and Goal and Segment ids of the sample's.
	Address, Key, Goal, Segment string
	// Count is how many requests or connections there are, and First the number of the first one.
	Count, First int
}

// attackLimit is how long an attacker goes on at most.
const attackLimit = time.Minute

// runAttacker attacks and writes what came of it to standard output: how often there was which answer.
func runAttacker(text string) (exit int) {
	var a assault
	if err := json.Unmarshal([]byte(text), &a); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	ctx, cancel := context.WithTimeout(context.Background(), attackLimit)
	defer cancel()
	got := map[string]int{}
	var mu sync.Mutex
	attackers[a.Name](ctx, &a, func(answer string) {
		mu.Lock()
		defer mu.Unlock()
		got[answer]++
	})
	mu.Lock()
	defer mu.Unlock()
	if err := json.NewEncoder(os.Stdout).Encode(got); err != nil {
		return 1
	}
	return 0
}

// attackers are the attacks. Each tells what the server answers.
var attackers = map[string]func(ctx context.Context, a *assault, tell func(answer string)){
	"fragment bomb":         asking(func(a *assault, _ int) string { return fragmentBomb(40) }),
	"hours over aliases":    asking(func(a *assault, _ int) string { return a.hours(25, 0) }),
	"repeated field":        asking(func(*assault, int) string { return "{" + strings.Repeat("sites{id}", 60<<10/9) + "}" }),
	"introspection aliases": asking(func(*assault, int) string { return introspection(500) }),
	"documents of 60 KB":    asking(func(_ *assault, n int) string { return idList(n, 60<<10) }),
	"documents of 1 MB":     asking(func(_ *assault, n int) string { return idList(n, 1<<20-200) }),
	"heavy queries":         heavyQueries,
	"sockets":               sockets,
	"slow clients":          slowClients,
	"slow readers":          slowReaders,
}

// fragmentBomb is a document that doubles with each of its fragments.
func fragmentBomb(fragments int) string {
	var text strings.Builder
	text.WriteString("{ ...F0 }")
	for i := range fragments {
		fmt.Fprintf(&text, " fragment F%d on Query { a: sites { id } ...F%d ...F%d }", i, i+1, i+1)
	}
	fmt.Fprintf(&text, " fragment F%d on Query { sites { id } }", fragments)
	return text.String()
}

// hours asks for the hours of more than a year, so often. Other numbers make it another question.
func (a *assault) hours(aliases, n int) string {
	var text strings.Builder
	from := time.Date(2015, 1, 1, n, 0, 0, 0, time.UTC).Format(time.RFC3339)
	fmt.Fprintf(&text, `{ site(domain: %q) { goalCards(goals: [%q], segments: [%q], range: { from: %q, to: "2016-02-15T00:00:00Z" }) { cells {`, sampleDomain, a.Goal, a.Segment, from)
	for i := range aliases {
		fmt.Fprintf(&text, " a%d: series(interval: HOUR) { at sessions conversions conversionRate }", i)
	}
	return text.String() + " } } } }"
}

func introspection(aliases int) string {
	var text strings.Builder
	text.WriteString("{")
	for i := range aliases {
		fmt.Fprintf(&text, " a%d: __schema { types { name description fields { name description type { name ofType { name } } } } }", i)
	}
	return text.String() + " }"
}

// idList is a document of about so many bytes, unlike those of other numbers. The server has to read all of it.
func idList(n, length int) string {
	id := fmt.Sprintf("%d ", 1_000_000+n)
	return `{ nodes(ids: [` + strings.Repeat(id, (length-30)/len(id)) + `]) { id } }`
}

// atOnce is how many requests an attacker has under way.
const atOnce = 64

// asking returns an attack by requests, half of them with the key and half without, from many addresses.
func asking(query func(a *assault, n int) string) func(context.Context, *assault, func(string)) {
	return func(ctx context.Context, a *assault, tell func(string)) {
		eachOf(a, atOnce, func(n int) {
			body, err := json.Marshal(map[string]string{"query": query(a, n)})
			if err != nil {
				panic(err)
			}
			request, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+a.Address+"/graphql", bytes.NewReader(body))
			if err != nil {
				panic(err)
			}
			request.Header.Set("Content-Type", "application/json")
			request.Header.Set("Accept", "application/graphql-response+json") // or every status is 200
			if n%2 == 0 {
				request.Header.Set("Authorization", "Bearer "+a.Key)
			}
			transport := &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
				return dialFrom(ctx, n, address)
			}}
			response, err := transport.RoundTrip(request)
			if err != nil {
				tell(closedBy(ctx, err))
				return
			}
			defer response.Body.Close()
			_, _ = io.Copy(io.Discard, response.Body) // an answer that breaks off is one, too
			tell(fmt.Sprint(response.StatusCode))
		})
	}
}

// eachOf calls do for each number, so many at a time.
func eachOf(a *assault, atOnce int, do func(n int)) {
	places := make(chan struct{}, atOnce)
	var all sync.WaitGroup
	for n := a.First; n < a.First+a.Count; n++ {
		places <- struct{}{}
		all.Go(func() {
			defer func() { <-places }()
			do(n)
		})
	}
	all.Wait()
}

// dialFrom connects from one of 200 addresses of this machine.
func dialFrom(ctx context.Context, n int, address string) (net.Conn, error) {
	dialer := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 1, byte(1+n%200))}}
	return dialer.DialContext(ctx, "tcp", address)
}

// closedBy names an error of a connection.
func closedBy(ctx context.Context, err error) string {
	if ctx.Err() != nil {
		return "no answer"
	}
	if timeout, ok := err.(net.Error); ok && timeout.Timeout() {
		return "no answer"
	}
	return "closed"
}

// rawSocket is a WebSocket that takes little of its process.
type rawSocket struct {
	net.Conn
	reader *bufio.Reader
}

// openSocket opens a WebSocket from one of many addresses, and initialises it.
func openSocket(ctx context.Context, a *assault, n int) (*rawSocket, error) {
	conn, err := dialFrom(ctx, n, a.Address)
	if err != nil {
		return nil, err
	}
	deadline, _ := ctx.Deadline()
	_ = conn.SetDeadline(deadline) // of an open connection
	s := &rawSocket{conn, bufio.NewReaderSize(conn, 512)}
	fmt.Fprintf(s, "GET /graphql HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"+
		"Sec-WebSocket-Key: MDEyMzQ1Njc4OTAxMjM0NQ==\r\nSec-WebSocket-Protocol: graphql-transport-ws\r\nAuthorization: Bearer %s\r\n\r\n", a.Key)
	response, err := http.ReadResponse(s.reader, nil)
	if err == nil && response.StatusCode != http.StatusSwitchingProtocols {
		err = fmt.Errorf("%d", response.StatusCode)
	}
	if err == nil {
		err = s.send(`{"type":"connection_init"}`)
	}
	if err != nil {
		conn.Close()
		return nil, err
	}
	return s, nil
}

// send sends a text, masked with zeroes.
func (s *rawSocket) send(text string) error {
	const text1, masked, two = 0x81, 0x80, 126
	frame := []byte{text1, masked | byte(len(text))}
	if len(text) >= two {
		frame = wire.BigEndian.AppendUint16([]byte{text1, masked | two}, uint16(len(text)))
	}
	_, err := s.Write(append(append(frame, 0, 0, 0, 0), text...))
	return err
}

// receive returns the next text, and as an error the code with which the server closes.
func (s *rawSocket) receive() (start string, err error) {
	for {
		var head [2]byte
		if _, err := io.ReadFull(s.reader, head[:]); err != nil {
			return "", err
		}
		length := uint64(head[1])
		switch length {
		case 126:
			var more [2]byte
			_, err = io.ReadFull(s.reader, more[:])
			length = uint64(wire.BigEndian.Uint16(more[:]))
		case 127:
			var more [8]byte
			_, err = io.ReadFull(s.reader, more[:])
			length = wire.BigEndian.Uint64(more[:])
		}
		if err != nil {
			return "", err
		}
		begin := make([]byte, min(length, 64))
		if _, err := io.ReadFull(s.reader, begin); err != nil {
			return "", err
		}
		if _, err := io.CopyN(io.Discard, s.reader, int64(length)-int64(len(begin))); err != nil {
			return "", err
		}
		switch head[0] & 0x0f {
		case 1, 0:
			return string(begin), nil
		case 8:
			if len(begin) >= 2 {
				return "", fmt.Errorf("%d", wire.BigEndian.Uint16(begin))
			}
			return "", io.EOF
		}
	}
}

// heavyQueries asks heavy queries, all at once over one socket.
func heavyQueries(ctx context.Context, a *assault, tell func(string)) {
	s, err := openSocket(ctx, a, 0)
	if err != nil {
		tell(err.Error())
		return
	}
	defer s.Close()
	for n := range a.Count {
		query, _ := json.Marshal(a.hours(3, n)) // a string always can
		if err := s.send(fmt.Sprintf(`{"id":"%d","type":"subscribe","payload":{"query":%s}}`, n, query)); err != nil {
			tell(closedBy(ctx, err))
			return
		}
	}
	for ended := 0; ended < a.Count; {
		text, err := s.receive()
		switch {
		case err != nil:
			tell(closedBy(ctx, err))
			return
		case strings.Contains(text, `"error"`):
			ended++
			tell("refused")
		case strings.Contains(text, `"complete"`):
			ended++
			tell("answered")
		}
	}
}

// sockets opens sockets, and keeps all of them open for a while.
func sockets(ctx context.Context, a *assault, tell func(string)) {
	var mu sync.Mutex
	var open []*rawSocket
	eachOf(a, 32, func(n int) {
		s, err := openSocket(ctx, a, n)
		if err == nil {
			mu.Lock()
			open = append(open, s)
			mu.Unlock()
			_, err = s.receive()
		}
		switch {
		case err == nil:
			tell("open")
		case len(err.Error()) <= 4:
			tell(err.Error())
		default:
			tell(closedBy(ctx, err))
		}
	})
	select {
	case <-time.After(3 * time.Second):
	case <-ctx.Done():
	}
	for _, s := range open {
		s.Close()
	}
}

// slowClients send a byte now and then: of a header, and of a body.
func slowClients(ctx context.Context, a *assault, tell func(string)) {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	eachOf(a, a.Count, func(n int) {
		conn, err := dialFrom(ctx, n, a.Address)
		if err != nil {
			tell(closedBy(ctx, err))
			return
		}
		defer conn.Close()
		fmt.Fprintf(conn, "POST /graphql HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n")
		if n%2 == 0 {
			fmt.Fprintf(conn, "\r\n{")
		} else {
			fmt.Fprintf(conn, "X-Slow: ")
		}
		stop, closed := context.WithCancel(ctx)
		defer closed()
		go func() {
			for tick := time.Tick(time.Second); ; {
				select {
				case <-tick:
					if _, err := io.WriteString(conn, " "); err != nil {
						return
					}
				case <-stop.Done():
					return
				}
			}
		}()
		deadline, _ := ctx.Deadline()
		_ = conn.SetReadDeadline(deadline) // of an open connection
		response, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			tell(closedBy(ctx, err))
			return
		}
		tell(fmt.Sprint(response.StatusCode))
	})
}

// slowReaders ask for GraphiQL's script, which everyone gets, over and over, and read none of the answers before the server
// must have given up.
func slowReaders(ctx context.Context, a *assault, tell func(string)) {
	ctx, cancel := context.WithTimeout(ctx, 50*time.Second)
	defer cancel()
	script, err := scriptOf(ctx, "http://"+a.Address+"/graphiql/")
	if err != nil {
		tell(err.Error())
		return
	}
	request := "GET " + script + " HTTP/1.1\r\nHost: localhost\r\nAccept-Encoding: gzip\r\n\r\n"
	eachOf(a, a.Count, func(n int) {
		conn, err := dialFrom(ctx, n, a.Address)
		if err != nil {
			tell(closedBy(ctx, err))
			return
		}
		defer conn.Close()
		deadline, _ := ctx.Deadline()
		_ = conn.SetDeadline(deadline)                 // of an open connection
		_ = conn.(*net.TCPConn).SetReadBuffer(4 << 10) // little waits on the way
		if _, err := io.WriteString(conn, strings.Repeat(request, 200)); err != nil {
			tell(closedBy(ctx, err))
			return
		}
		select {
		case <-time.After(30 * time.Second): // more than the server gives them
		case <-ctx.Done():
		}
		_ = conn.SetReadDeadline(time.Now().Add(time.Second))
		if _, err = io.Copy(io.Discard, conn); err == nil {
			err = io.EOF
		}
		tell(closedBy(ctx, err))
	})
}

// scriptOf returns the path of the first script of a page.
func scriptOf(ctx context.Context, page string) (string, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, page, nil)
	if err != nil {
		return "", err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		return "", err
	}
	source := regexp.MustCompile(`<script[^>]* src="([^"]+)"`).FindSubmatch(text)
	if source == nil {
		return "", fmt.Errorf("%s has no script: %s", page, response.Status)
	}
	path, err := request.URL.Parse(string(source[1]))
	if err != nil {
		return "", err
	}
	return path.Path, nil
}
