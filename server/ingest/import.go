package ingest

import (
	"context"
	"errors"
	"fmt"

	"github.com/goalgraph/goalgraph/model"
)

// Import reads the files and writes their messages: NewPlan, and then Run.
func Import(ctx context.Context, o Options) (Summary, error) {
	p, err := NewPlan(ctx, o)
	if err != nil {
		return Summary{}, err
	}
	defer p.Close()
	return p.Run(ctx)
}

// Run reads the files and writes their messages, in batches, while it decodes
// the next ones. Memory does not grow with the files.
//
// An error ends it: a file that can not be read or ends early, a failed Write, or the end
// of ctx. What was read before that is written all the same, unless Write failed or ctx
// ended, and the summary tells of what was written. Importing the same files again is then
// safe: message ids do not depend on how far the last attempt came.
func (p *Plan) Run(ctx context.Context) (Summary, error) {
	total := Summary{Format: p.Format()}
	o := &p.options
	if p.NeedsSite() && o.Write == nil {
		return total, errors.New("import: no Write is given")
	}
	r := &reader{plan: p, ctx: ctx, batches: make(chan batch, 1), sites: newRouter(p)}
	if o.Notes != nil {
		p.describe(o.Notes)
	}
	if err := r.sites.begin(ctx); err != nil {
		return total, err
	}
	readCtx, stop := context.WithCancel(ctx)
	r.ctx = readCtx
	read := make(chan error, 1)
	go func() {
		defer close(r.batches)
		read <- r.readAll()
	}()

	bar := newProgress(o.Progress, p.size)
	var writeErr error
	for b := range r.batches {
		if writeErr = b.write(ctx); writeErr != nil {
			break
		}
		total.add(b.tally)
		if len(b.notes) > 0 && o.Notes != nil {
			bar.clear()
			// A lost standard error is no reason to lose the rest of the log.
			_, _ = o.Notes.Write(b.notes)
		}
		bar.update(b.bytes, total.Lines)
	}
	bar.end()
	stop()
	readErr := <-read
	switch {
	case ctx.Err() != nil && (writeErr != nil || readErr != nil):
		return total, fmt.Errorf("import stopped after %d lines: %w", total.Lines, context.Cause(ctx))
	case writeErr != nil:
		return total, fmt.Errorf("import failed after %d lines: %w", total.Lines, writeErr)
	}
	r.sites.end()
	if total.expired > 0 && o.Notes != nil {
		fmt.Fprintf(o.Notes, "%d of the rejected lines are older than their site keeps sessions (retentionDays)\n", total.expired)
	}
	return total, readErr
}

// batch is what is written at once, and what the lines that it is made of were.
type batch struct {
	// loads are the messages by where they go to, nearly always one place.
	loads    []load
	messages int
	tally    Summary
	// size is the length of the lines that messages are made of.
	size int
	// notes is what is said of rejected lines. It travels with the batch so that
	// one goroutine writes to the terminal.
	notes []byte
	// bytes is how far the files were read.
	bytes int64
}

type load struct {
	target   *Target
	messages []model.Message
}

func (b *batch) write(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	for _, l := range b.loads {
		written, err := l.target.Write(ctx, l.messages)
		if err != nil {
			return err
		}
		b.tally.Duplicates += written.Duplicates
		b.tally.expire(written.Expired)
	}
	return nil
}

// add adds a message for a target; most is how many a batch may have.
func (b *batch) add(target *Target, message model.Message, most int) {
	b.messages++
	for i := range b.loads {
		if b.loads[i].target == target {
			b.loads[i].messages = append(b.loads[i].messages, message)
			return
		}
	}
	room := 0
	if len(b.loads) == 0 {
		room = min(most, defaultBatch)
	}
	b.loads = append(b.loads, load{target, append(make([]model.Message, 0, room), message)})
}

// reader decodes files into batches, in its own goroutine.
type reader struct {
	plan    *Plan
	ctx     context.Context
	sites   *router
	batches chan batch
	next    batch
	// before is the bytes of the files that are done, bytes those of all that was read.
	before, bytes int64
}

func (r *reader) readAll() error {
	var err error
	for _, f := range r.plan.files {
		err = r.plan.readFile(r.ctx, f, r.plan.newLineDecoder(f),
			func(o outcome) error { return r.take(f, o) },
			func(note string) { r.next.notes = append(r.next.notes, note...) },
			func(bytes int64) { r.bytes = r.before + bytes })
		if err != nil {
			break
		}
		r.before = r.bytes
	}
	// Also after an error: what was read before it is good.
	if sendErr := r.send(); err == nil {
		err = sendErr
	}
	return err
}

func (r *reader) take(f *plannedFile, o outcome) error {
	if o.is == kept {
		target, err := r.sites.target(r.ctx, f, o.host)
		if err != nil {
			return err
		}
		if target == nil {
			o.is = ignored
		} else {
			r.next.add(target, o.message, r.plan.options.Batch)
			r.next.size += o.size
		}
	}
	r.next.tally.count(o.is)
	if r.next.messages >= r.plan.options.Batch || r.next.size >= maxBatchBytes || r.next.tally.Lines >= maxBatchLines {
		return r.send()
	}
	return nil
}

func (r *reader) send() error {
	r.next.bytes = r.bytes
	select {
	case r.batches <- r.next:
		r.next = batch{}
		return nil
	case <-r.ctx.Done():
		return r.ctx.Err()
	}
}
