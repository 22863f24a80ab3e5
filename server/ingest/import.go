package ingest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/goalgraph/goalgraph/model"
)

const (
	defaultBatch = 5000
	// maxBatchBytes and maxBatchLines end a batch early: the one where lines are
	// long, so that memory is bounded by bytes; the other where most lines are
	// ignored, so that the progress shows and a stop is heard.
	maxBatchBytes = 8 << 20
	maxBatchLines = 100_000
	// maxRejects is how many rejected lines of a file are named.
	maxRejects = 20
)

// Options say what Import reads, and where to.
type Options struct {
	// Files are read in order; "-" is Stdin. A file that is packed by gzip is
	// read as what is in it.
	Files []string
	Stdin io.Reader
	// Format is Combined where it is empty.
	Format Format
	// IncludeBots keeps what bots did. Without it, lines of access logs are left out, and
	// messages by the site's policy, Bots.
	IncludeBots bool
	Bots        model.BotPolicy
	// Locations finds where addresses are; nil finds nothing.
	Locations *Locations
	// Write stores a batch, all or nothing, and tells how many of its messages it
	// had already. The batch is Write's to keep. Calls come one after another, in
	// the order of the lines.
	Write func(ctx context.Context, batch []model.Message) (duplicates int, err error)
	// Batch is the most messages that a call of Write gets; 5,000 where it is zero.
	Batch int
	// Progress is a terminal to draw a bar on; nil draws none.
	Progress io.Writer
	// Rejects is told of the first 20 rejected lines of a file, as FILE:LINE:
	// reason, and of how many more there were; nil is not. It may be Progress.
	Rejects io.Writer
}

func (o *Options) validate() error {
	switch {
	case len(o.Files) == 0:
		return errors.New("import: no file is given")
	case o.Write == nil:
		return errors.New("import: no Write is given")
	case o.Format != "" && o.Format != Combined && o.Format != Messages:
		return fmt.Errorf("import: unknown format %q; combined and messages are known", string(o.Format))
	}
	stdin := 0
	for _, name := range o.Files {
		if name == "-" {
			stdin++
		}
	}
	if stdin > 1 || (stdin == 1 && o.Stdin == nil) {
		return errors.New("import: standard input can be read only once")
	}
	return nil
}

// size returns the size of all files, or -1 where it is not known. It fails on
// the first that can not be read, before anything of another is written.
func (o *Options) size() (total int64, err error) {
	known := true
	for _, name := range o.Files {
		if name == "-" {
			known = false
			continue
		}
		info, err := os.Stat(name)
		if err != nil {
			return 0, err
		}
		if info.IsDir() {
			return 0, fmt.Errorf("%s is a directory", name)
		}
		known = known && info.Mode().IsRegular()
		total += info.Size()
	}
	if !known {
		return -1, nil
	}
	return total, nil
}

// Import reads the files and writes their messages, in batches, while it decodes
// the next ones. Memory does not grow with the files.
//
// An error ends it: a file that can not be read or ends early, one that has not a
// single line of the format, a failed Write, or the end of ctx. What was read
// before that is written all the same, unless Write failed or ctx ended, and the
// summary tells of what was written. Importing the same files again is then safe:
// message ids do not depend on how far the last attempt came.
func Import(ctx context.Context, o Options) (Summary, error) {
	var total Summary
	if err := o.validate(); err != nil {
		return total, err
	}
	if o.Batch <= 0 {
		o.Batch = defaultBatch
	}
	size, err := o.size()
	if err != nil {
		return total, err
	}
	decoder, err := NewDecoder(o.Locations)
	if err != nil {
		return total, err
	}

	readCtx, stop := context.WithCancel(ctx)
	r := &reader{options: &o, decoder: decoder, batches: make(chan batch, 1)}
	read := make(chan error, 1)
	go func() {
		defer close(r.batches)
		read <- r.readAll(readCtx)
	}()

	bar := newProgress(o.Progress, size)
	var writeErr error
	for b := range r.batches {
		if writeErr = b.write(ctx, &o); writeErr != nil {
			break
		}
		total.add(b.tally)
		if len(b.rejects) > 0 && o.Rejects != nil {
			bar.clear()
			// A lost standard error is no reason to lose the rest of the log.
			_, _ = o.Rejects.Write(b.rejects)
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
	return total, readErr
}

// batch is what is written at once, and what the lines that it is made of were.
type batch struct {
	messages []model.Message
	tally    Summary
	// size is the length of the lines that messages are made of.
	size int
	// rejects is what is said of rejected lines. It travels with the batch so that
	// one goroutine writes to the terminal.
	rejects []byte
	// bytes is how far the files were read.
	bytes int64
}

func (b *batch) write(ctx context.Context, o *Options) (err error) {
	if err := ctx.Err(); err != nil {
		return err
	}
	if len(b.messages) > 0 {
		b.tally.Duplicates, err = o.Write(ctx, b.messages)
	}
	return err
}

// reader decodes files into batches, in its own goroutine.
type reader struct {
	options *Options
	decoder *Decoder
	batches chan batch
	next    batch
	// before is the bytes of the files that are done.
	before int64
}

func (r *reader) readAll(ctx context.Context) error {
	var err error
	for _, name := range r.options.Files {
		if err = r.readFile(ctx, name); err != nil {
			break
		}
	}
	// Also after an error: what was read before it is good.
	if sendErr := r.send(ctx); err == nil {
		err = sendErr
	}
	return err
}

func (r *reader) readFile(ctx context.Context, name string) error {
	s, err := openSource(ctx, name, r.options.Stdin)
	if err != nil {
		return err
	}
	defer s.close()
	d := &lineDecoder{decoder: r.decoder, format: r.options.Format, includeBots: r.options.IncludeBots, bots: r.options.Bots, lines: NewLines()}
	if d.includeBots {
		d.bots = model.IncludeBots
	}
	good, bad := 0, 0
	reject := func(reason error) {
		r.next.tally.count(rejected)
		if bad++; bad <= maxRejects {
			r.next.rejects = fmt.Appendf(r.next.rejects, "%s:%d: %v\n", s.name, s.number, reason)
		}
	}
	defer func() {
		if more := bad - maxRejects; more > 0 {
			r.next.rejects = fmt.Appendf(r.next.rejects, "%s: %d more lines were rejected\n", s.name, more)
		}
	}()
	for {
		line, last, err := s.next()
		switch {
		case err == io.EOF:
			r.before += s.read.bytes
			if good == 0 && bad > 0 {
				return fmt.Errorf("%s is not %s: all of its lines (%d) were rejected", s.name, r.options.Format.text(), bad)
			}
			return nil
		case err == errTooLong:
			reject(err)
		case err != nil:
			return err
		case isBlank(line):
		default:
			message, is, err := d.decode(line, last)
			if is == rejected {
				reject(err)
				break
			}
			good++
			r.next.tally.count(is)
			if is == kept {
				r.next.messages = append(r.next.messages, message)
				r.next.size += len(line)
			}
		}
		if s.number%1024 == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		if len(r.next.messages) >= r.options.Batch || r.next.size >= maxBatchBytes || r.next.tally.Lines >= maxBatchLines {
			r.next.bytes = r.before + s.read.bytes
			if err := r.send(ctx); err != nil {
				return err
			}
		}
	}
}

func (r *reader) send(ctx context.Context) error {
	if r.next.bytes == 0 {
		r.next.bytes = r.before
	}
	select {
	case r.batches <- r.next:
		r.next = batch{messages: make([]model.Message, 0, min(r.options.Batch, defaultBatch))}
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
