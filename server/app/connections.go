package app

import (
	"container/list"
	"crypto/tls"
	"net"
	"net/http"
	"sync"
)

// connections keeps the open connections of a server below the descriptors of its process, some of which the database,
// the plugins and files need. Where there are too many, the one that has been idle for the longest makes room, whether
// it waits for its next request or has sent none yet; where none is idle, a new one is closed.
type connections struct {
	*net.TCPListener
	most int

	mu   sync.Mutex
	open int
	// idle are the connections that may be closed, those that have been idle for longer first.
	idle   *list.List
	places map[net.Conn]*list.Element
}

// sendBuffer is how many bytes of answers the system keeps for a client that does not read. By itself it would keep
// megabytes for each, and copying them for hundreds of clients takes the processors from others.
const sendBuffer = 256 << 10

func newConnections(listener *net.TCPListener, most int) *connections {
	return &connections{TCPListener: listener, most: most, idle: list.New(), places: map[net.Conn]*list.Element{}}
}

// mostConnections returns how many connections a process with so many descriptors may have, and how many of these may
// last as long as their clients want.
func mostConnections(descriptors uint64) (most, lasting int) {
	const enough = 1 << 20
	descriptors = min(descriptors, enough)
	reserved := max(min(64, descriptors/2), descriptors/8)
	most = int(descriptors - reserved)
	return most, most * 3 / 4
}

// Accept waits for the next connection.
func (c *connections) Accept() (net.Conn, error) {
	for {
		accepted, err := c.AcceptTCP()
		if err != nil {
			return nil, err
		}
		// A failure leaves what the system has.
		_ = accepted.SetWriteBuffer(sendBuffer)
		conn := &connection{TCPConn: accepted, of: c}
		c.mu.Lock()
		c.open++
		full := c.open > c.most
		var oldest net.Conn
		if first := c.idle.Front(); full && first != nil {
			oldest = first.Value.(net.Conn)
			c.remove(oldest)
		}
		c.mu.Unlock()
		switch {
		case !full:
		case oldest != nil:
			closeAtOnce(oldest)
		default:
			conn.Close()
			continue
		}
		return conn, nil
	}
}

// closeAtOnce closes a connection without a word, for which TLS would wait.
func closeAtOnce(conn net.Conn) {
	if secure, ok := conn.(*tls.Conn); ok {
		conn = secure.NetConn()
	}
	conn.Close()
}

// note takes in that the state of a connection has changed.
func (c *connections) note(conn net.Conn, state http.ConnState) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.remove(conn)
	if state == http.StateNew || state == http.StateIdle {
		c.places[conn] = c.idle.PushBack(conn)
	}
}

func (c *connections) remove(conn net.Conn) {
	if place, found := c.places[conn]; found {
		c.idle.Remove(place)
		delete(c.places, conn)
	}
}

// connection is an open connection.
type connection struct {
	*net.TCPConn
	of     *connections
	closed sync.Once
}

// Close closes the connection.
func (c *connection) Close() error {
	err := c.TCPConn.Close()
	c.closed.Do(func() {
		c.of.mu.Lock()
		c.of.open--
		c.of.mu.Unlock()
	})
	return err
}
