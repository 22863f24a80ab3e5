package ingest

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/goalgraph/goalgraph/model"
)

// Pipeline takes in messages of many requests at once, and writes those of a site
// together: while a site has as many transactions under way as it may, what arrives for
// it gathers for the next. Sites do not wait for each other, but for the turn of their
// transactions, which come in the order in which they were asked for.
type Pipeline struct {
	options PipelineOptions
	// turns has a place for each transaction that may run at once.
	turns chan struct{}

	mu     sync.Mutex
	queued int64 // bytes of all lanes
	closed bool
	lanes  map[int64]*lane
	ended  sync.WaitGroup
}

// PipelineOptions are the parts of a Pipeline. Write must be given.
type PipelineOptions struct {
	// Write writes a site's messages in one transaction.
	Write func(ctx context.Context, site int64, batch []model.Message) error
	// Transactions is how many may run at once; 4 by default.
	Transactions int
	// SiteTransactions is how many of them may be one site's; 1 by default. A second one
	// can begin while the first one waits for the disk.
	SiteTransactions int
	// QueueBytes bounds the memory of the messages that wait; 48 MiB by default. One
	// site's may take half of it.
	QueueBytes int64
	// BatchMessages bounds a transaction; 5,000 by default.
	BatchMessages int
	// WriteLimit bounds the time of a transaction, so that sites whose transactions hang
	// give others their turn back; 20 s by default.
	WriteLimit time.Duration
}

// lane is the messages of one site that wait.
type lane struct {
	bytes   int64
	waiting []*delivery
	writers int // goroutines that write them
}

// delivery is the messages of one request.
type delivery struct {
	messages []model.Message
	bytes    int64
	done     chan error
}

// Errors of Submit.
var (
	// ErrBusy says that too much waits already: nothing was kept, and it is to be sent
	// again later.
	ErrBusy = errors.New("too many messages are waiting to be written")
	// ErrClosed says that the pipeline ends.
	ErrClosed = errors.New("the server is stopping")
)

// NewPipeline returns a Pipeline that runs until Close.
func NewPipeline(o PipelineOptions) *Pipeline {
	if o.Transactions == 0 {
		o.Transactions = 4
	}
	if o.SiteTransactions == 0 {
		o.SiteTransactions = 1
	}
	if o.QueueBytes == 0 {
		o.QueueBytes = 48 << 20
	}
	if o.BatchMessages == 0 {
		o.BatchMessages = 5000
	}
	if o.WriteLimit == 0 {
		o.WriteLimit = 20 * time.Second
	}
	return &Pipeline{options: o, turns: make(chan struct{}, o.Transactions), lanes: map[int64]*lane{}}
}

// Submit returns when the messages are kept. bytes is about what they take in memory
// until then. After ErrBusy or ErrClosed nothing of them was kept, nor after an error
// of Write's that says so; when ctx ends first they may be, and can be sent again.
func (p *Pipeline) Submit(ctx context.Context, site int64, messages []model.Message, bytes int64) error {
	if len(messages) == 0 {
		return nil
	}
	d := &delivery{messages: messages, bytes: bytes, done: make(chan error, 1)}
	if err := p.put(site, d); err != nil {
		return err
	}
	select {
	case err := <-d.done:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (p *Pipeline) put(site int64, d *delivery) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return ErrClosed
	}
	l := p.lanes[site]
	if l == nil {
		l = &lane{}
	}
	if p.queued+d.bytes > p.options.QueueBytes || l.bytes+d.bytes > p.options.QueueBytes/2 {
		return ErrBusy
	}
	p.queued += d.bytes
	l.bytes += d.bytes
	l.waiting = append(l.waiting, d)
	if l.writers < p.options.SiteTransactions {
		l.writers++
		p.lanes[site] = l
		p.ended.Go(func() { p.run(site, l) })
	}
	return nil
}

// run writes a lane's messages until none wait.
func (p *Pipeline) run(site int64, l *lane) {
	for {
		p.turns <- struct{}{}
		deliveries := p.take(site, l)
		if deliveries != nil {
			p.write(site, deliveries)
		}
		<-p.turns
		if deliveries == nil {
			return
		}
	}
}

// take takes what is written next, nil where nothing waits, which ends the writer.
func (p *Pipeline) take(site int64, l *lane) []*delivery {
	p.mu.Lock()
	defer p.mu.Unlock()
	n, messages := 0, 0
	for n < len(l.waiting) && (n == 0 || messages+len(l.waiting[n].messages) <= p.options.BatchMessages) {
		messages += len(l.waiting[n].messages)
		n++
	}
	if n == 0 {
		if l.writers--; l.writers == 0 {
			delete(p.lanes, site)
		}
		return nil
	}
	deliveries := l.waiting[:n:n]
	l.waiting = l.waiting[n:]
	return deliveries
}

// write writes deliveries in one transaction. It runs to its end even where all
// who wait for it are gone: what was taken in is kept.
func (p *Pipeline) write(site int64, deliveries []*delivery) {
	batch := deliveries[0].messages
	if len(deliveries) > 1 {
		messages := 0
		for _, d := range deliveries {
			messages += len(d.messages)
		}
		batch = make([]model.Message, 0, messages)
		for _, d := range deliveries {
			batch = append(batch, d.messages...)
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), p.options.WriteLimit)
	err := p.options.Write(ctx, site, batch)
	cancel()
	if len(deliveries) > 1 && model.CodeOf(err) == model.Internal && !errors.Is(err, context.DeadlineExceeded) {
		// Something of them cannot be written. What others sent is not to suffer from it.
		for _, d := range deliveries {
			p.write(site, []*delivery{d})
		}
		return
	}
	p.mu.Lock()
	for _, d := range deliveries {
		p.queued -= d.bytes
		p.lanes[site].bytes -= d.bytes
	}
	p.mu.Unlock()
	for _, d := range deliveries {
		d.done <- err
	}
}

// Queued returns how many bytes the messages take that wait or are being written.
func (p *Pipeline) Queued() int64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.queued
}

// Close refuses what comes from now on, and returns when all that was taken in is
// written, or ctx ends.
func (p *Pipeline) Close(ctx context.Context) error {
	p.mu.Lock()
	p.closed = true
	p.mu.Unlock()
	done := make(chan struct{})
	go func() {
		p.ended.Wait()
		close(done)
	}()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
