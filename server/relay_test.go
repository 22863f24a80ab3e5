//go:build system

package main

import (
	"io"
	"net"
	"sync"
	"testing"
)

// relay listens at an address that is known before the server behind it has one, and stays when that server comes and goes.
// While there is none it hangs up, as an address does where nobody listens.
type relay struct {
	address string
	mu      sync.Mutex
	target  string // the address of the server
	conns   []net.Conn
}

func newRelay(tb testing.TB) *relay {
	tb.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { listener.Close() })
	r := &relay{address: listener.Addr().String()}
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go r.pass(conn)
		}
	}()
	return r
}

// lead ends all connections, and has new ones lead to a server, or to none.
func (r *relay) lead(address string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, conn := range r.conns {
		conn.Close()
	}
	r.target, r.conns = address, nil
}

// connect connects one that has come to the server, if there is one.
func (r *relay) connect(conn net.Conn) net.Conn {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.target == "" {
		return nil
	}
	server, err := net.Dial("tcp", r.target)
	if err != nil {
		return nil
	}
	r.conns = append(r.conns, conn)
	return server
}

// port is where it listens.
func (r *relay) port() string {
	_, port, _ := net.SplitHostPort(r.address)
	return port
}

func (r *relay) pass(conn net.Conn) {
	defer conn.Close()
	server := r.connect(conn)
	if server == nil {
		return
	}
	defer server.Close()
	// Whichever end closes first ends both. What fails is for the ends to see.
	ended := make(chan struct{}, 2)
	for _, way := range [][2]net.Conn{{server, conn}, {conn, server}} {
		go func() {
			_, _ = io.Copy(way[0], way[1])
			ended <- struct{}{}
		}()
	}
	<-ended
}
