package ofrep

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"sync"
	"time"

	"github.com/goalgraph/goalgraph/model/live"
)

const (
	// streamPing is the time between two signs of life. The key is looked at again then, and when it may have changed.
	streamPing = 20 * time.Second
	// streamWrite is how long a client may take to take in a message.
	streamWrite = 10 * time.Second
	// streamLook is the time between two looks at the flags of sites that streams follow: a bus may lose changes.
	streamLook = 500 * time.Millisecond
	// siteStreams is the share of all streams that one site's may be: a half.
	siteStreams = 2
	// senderStreams is the share of all streams that one sender's may be: a quarter.
	senderStreams = 4
)

// stream follows the flags of a site.
type stream struct {
	site   int64
	sender string
	// wake says that there may be another version, or that the key may not hold any longer.
	wake chan struct{}
}

// streams tell that flags have changed.
type streams struct {
	h    *Handler
	most int

	mu    sync.Mutex
	sites map[int64]*followed
	// senders has how many streams each sender has, by its id.
	senders map[string]int
	open    int
	closed  chan struct{}
	ended   bool
}

// followed is a site that streams follow, and the version that they were told of last.
type followed struct {
	version string
	streams map[*stream]struct{}
}

func newStreams(h *Handler, most int) *streams {
	return &streams{h: h, most: most, sites: map[int64]*followed{}, senders: map[string]int{}, closed: make(chan struct{})}
}

func (s *streams) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.open
}

// close ends all streams.
func (s *streams) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.ended {
		s.ended = true
		close(s.closed)
	}
}

// join adds a sender's stream to a site whose flags have a version; ok is false where there are too many.
func (s *streams) join(site int64, sender, version string) (of *stream, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f := s.sites[site]
	if f == nil {
		f = &followed{version: version, streams: map[*stream]struct{}{}}
	}
	if s.open >= s.most || len(f.streams) >= max(1, s.most/siteStreams) || s.senders[sender] >= max(1, s.most/senderStreams) {
		return nil, false
	}
	of = &stream{site: site, sender: sender, wake: make(chan struct{}, 1)}
	f.streams[of] = struct{}{}
	s.sites[site] = f
	s.senders[sender]++
	s.open++
	return of, true
}

func (s *streams) leave(of *stream) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f := s.sites[of.site]
	delete(f.streams, of)
	if s.senders[of.sender]--; s.senders[of.sender] == 0 {
		delete(s.senders, of.sender)
	}
	if s.open--; len(f.streams) == 0 {
		delete(s.sites, of.site)
	}
}

// run looks at the flags of sites that are followed, when something of them has changed and now and then.
func (s *streams) run(ctx context.Context) {
	defer s.h.o.Bus.Subscribe(func(change live.Change) { s.look(ctx, change.Site) })()
	if s.h.o.Watch != nil {
		defer s.h.o.Watch(s.wakeAll)()
	}
	looks := time.NewTicker(streamLook)
	defer looks.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-looks.C:
		}
		s.mu.Lock()
		sites := make([]int64, 0, len(s.sites))
		for site := range s.sites {
			sites = append(sites, site)
		}
		s.mu.Unlock()
		for _, site := range sites {
			s.look(ctx, site)
		}
	}
}

// look wakes the streams of a site if its flags are others than those that they know. What fails is tried again soon.
func (s *streams) look(ctx context.Context, site int64) {
	s.mu.Lock()
	isFollowed := s.sites[site] != nil
	s.mu.Unlock()
	if !isFollowed {
		return
	}
	now, err := s.h.catalog.of(ctx, site)
	s.mu.Lock()
	defer s.mu.Unlock()
	f := s.sites[site]
	if err != nil || f == nil || f.version == now.version {
		return
	}
	f.version = now.version
	f.wake()
}

// wakeAll has all streams ask whether their keys hold.
func (s *streams) wakeAll() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, f := range s.sites {
		f.wake()
	}
}

func (f *followed) wake() {
	for of := range f.streams {
		select {
		case of.wake <- struct{}{}:
		default:
		}
	}
}

// streamChange is what a client is told.
type streamChange struct {
	Type string `json:"type"`
	ETag string `json:"etag"`
	// LastModified is in seconds since 1970.
	LastModified int64 `json:"lastModified"`
}

// serveStream tells a client of changes until either goes away. The key is in the query, since an EventSource sends no headers.
func (h *Handler) serveStream(w http.ResponseWriter, r *http.Request) {
	refuse := func(err error) {
		refused := h.refusalOf(r, err)
		if refused.retry > 0 {
			w.Header().Set("Retry-After", fmt.Sprint(refused.retry))
		}
		reply(w, refused.status, refused.problem)
	}
	key := r.URL.Query().Get("writeKey")
	if key == "" {
		key = keyOf(r)
	}
	sender, err := h.sender(r, key)
	if err != nil {
		refuse(err)
		return
	}
	if err := h.take(sender, 1); err != nil {
		refuse(err)
		return
	}
	site, err := siteOf(r, sender, "")
	if err != nil {
		refuse(err)
		return
	}
	holds := func() bool {
		sender, err := h.sender(r, key)
		if err != nil {
			return false
		}
		now, err := siteOf(r, sender, "")
		return err == nil && now == site
	}
	now, err := h.catalog.of(r.Context(), site)
	if err != nil {
		refuse(err)
		return
	}
	of, ok := h.streams.join(site, sender.ID, now.version)
	if !ok {
		refuse(refusef(http.StatusTooManyRequests, "", "there are as many event streams as there may be for the server, the site or the key; ask for the flags now and then instead"))
		return
	}
	defer h.streams.leave(of)
	header := w.Header()
	header.Set("Content-Type", "text/event-stream; charset=utf-8")
	header.Set("Cache-Control", "no-cache")
	header.Set("X-Accel-Buffering", "no") // of nginx, which would hold events back
	connection := http.NewResponseController(w)
	if err := connection.SetReadDeadline(time.Time{}); err != nil {
		refuse(err)
		return
	}
	last := r.Header.Get("Last-Event-ID")
	if last == "" {
		last = now.version
	}
	err = writeEvent(w, connection, "retry: 1000\n\n")
	pings := time.NewTicker(streamPing)
	defer pings.Stop()
	for err == nil && holds() {
		if now, err = h.catalog.of(r.Context(), site); err == nil && now.version != last {
			last = now.version
			data, _ := json.Marshal(streamChange{"refetchEvaluation", now.version, now.changed.Unix()}) // of texts and a number
			err = writeEvent(w, connection, fmt.Sprintf("id: %s\nevent: message\ndata: %s\n\n", now.version, data))
		}
		if err != nil {
			return
		}
		select {
		case <-r.Context().Done():
			return
		case <-h.streams.closed:
			return
		case <-of.wake:
		case <-pings.C:
			err = writeEvent(w, connection, ":\n\n")
		}
	}
}

// writeEvent writes, and gives the client a while to take it in.
func writeEvent(w io.Writer, connection *http.ResponseController, text string) error {
	if err := connection.SetWriteDeadline(time.Now().Add(streamWrite)); err != nil {
		return err
	}
	if _, err := io.WriteString(w, text); err != nil {
		return err
	}
	if err := connection.Flush(); err != nil {
		return err
	}
	return connection.SetWriteDeadline(time.Time{})
}
