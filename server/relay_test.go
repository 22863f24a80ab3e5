//go:build system

package main

import (
	"io"
	"net"
	"sync/atomic"
	"testing"
)

// relay listens at an address that is known before the server behind it has one, and stays when that server comes and goes.
// While there is none it hangs up, as an address does where nobody listens.
type relay struct {
	address string
	target  atomic.Value // of string, the address of the server
}

func newRelay(tb testing.TB) *relay {
	tb.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { listener.Close() })
	r := &relay{address: listener.Addr().String()}
	r.lead("")
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

// lead has new connections lead to a server, or to none.
func (r *relay) lead(address string) { r.target.Store(address) }

// port is where it listens.
func (r *relay) port() string {
	_, port, _ := net.SplitHostPort(r.address)
	return port
}

func (r *relay) pass(conn net.Conn) {
	defer conn.Close()
	address, _ := r.target.Load().(string)
	if address == "" {
		return
	}
	server, err := net.Dial("tcp", address)
	if err != nil {
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
