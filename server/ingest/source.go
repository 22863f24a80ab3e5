package ingest

import (
	"bufio"
	"bytes"
	"compress/flate"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
)

// maxLineBytes is the longest line that is read; a longer one is skipped.
const maxLineBytes = 1 << 20

// errTooLong is a line's, not the file's: reading goes on after it.
var errTooLong = fmt.Errorf("the line is longer than %d MiB", maxLineBytes>>20)

// source reads a file's lines, unpacked where it is packed by gzip.
type source struct {
	name string
	raw  io.Closer
	// counted counts the bytes taken from the file itself, as the file's size does.
	counted *countingReader
	lines   *bufio.Reader
	buffer  []byte
	number  int
	// ahead holds the first lines, which were read already.
	ahead []headLine
}

// headLine is one of a file's first lines, or the error instead of it.
type headLine struct {
	number int
	text   []byte
	last   bool
	err    error
}

// maxHeadLines and maxHeadBytes bound what is read of a file before it is known what it is.
const (
	maxHeadLines = 1000
	maxHeadBytes = 4 << 20
)

// head returns the first lines that are not blank, a thousand at most. next returns them
// too.
func (s *source) head() (head []headLine) {
	size := 0
	for len(head) < maxHeadLines && size < maxHeadBytes {
		text, last, err := s.read()
		line := headLine{len(s.ahead) + 1, bytes.Clone(text), last, err}
		s.ahead = append(s.ahead, line)
		if err != nil && err != errTooLong {
			break
		}
		if size += len(text) + 64; err != nil || !isBlank(text) {
			head = append(head, line)
		}
	}
	return head
}

type countingReader struct {
	io.Reader
	bytes int64
}

func (c *countingReader) Read(p []byte) (int, error) {
	n, err := c.Reader.Read(p)
	c.bytes += int64(n)
	return n, err
}

// openSource opens a file, or stdin for "-". A file is unpacked where its name
// ends in .gz or its first bytes are gzip's.
//
// The end of ctx ends the reading of stdin, which may never come by itself.
func openSource(ctx context.Context, name string, stdin io.Reader) (*source, error) {
	s := &source{name: name, raw: io.NopCloser(nil)}
	if name == "-" {
		s.name = "standard input"
		s.counted = &countingReader{Reader: interruptible(ctx, stdin)}
	} else {
		file, err := os.Open(name)
		if err != nil {
			return nil, err
		}
		s.raw, s.counted = file, &countingReader{Reader: file}
	}
	packed := bufio.NewReaderSize(s.counted, 64<<10)
	magic, _ := packed.Peek(2)
	isGzip := string(magic) == "\x1f\x8b"
	switch {
	case isGzip:
		unpacked, err := gzip.NewReader(packed)
		if err != nil {
			s.close()
			return nil, s.failed(err)
		}
		s.lines = bufio.NewReaderSize(unpacked, 64<<10)
	case strings.HasSuffix(strings.ToLower(name), ".gz"):
		s.close()
		return nil, fmt.Errorf("%s ends in .gz but is not a gzip file", s.name)
	default:
		s.lines = packed
	}
	return s, nil
}

// interruptible reads r until the end of ctx. A read that waits then is left to
// its goroutine, which ends with it.
func interruptible(ctx context.Context, r io.Reader) io.Reader {
	reader, writer := io.Pipe()
	stop := context.AfterFunc(ctx, func() { writer.CloseWithError(ctx.Err()) })
	go func() {
		defer stop()
		_, err := io.Copy(writer, r)
		writer.CloseWithError(err)
	}()
	return reader
}

// isBlank tells whether a line is empty but for space.
func isBlank(line []byte) bool { return len(bytes.TrimSpace(line)) == 0 }

func (s *source) close() { s.raw.Close() }

// next returns the next line without its line break; it is valid until the next
// call. last tells that the file ends without a line break after it. errTooLong
// stands for one line, io.EOF for the end, any other error is the file's, and
// then what it has of a line is left out.
func (s *source) next() (line []byte, last bool, err error) {
	if len(s.ahead) > 0 {
		line, last, err = s.ahead[0].text, s.ahead[0].last, s.ahead[0].err
		if s.ahead = s.ahead[1:]; len(s.ahead) == 0 {
			s.ahead = nil
		}
	} else {
		line, last, err = s.read()
	}
	switch {
	case err == nil, err == errTooLong:
		s.number++
	case err != io.EOF:
		err = s.failed(err)
	}
	return line, last, err
}

// read does what next does, without number.
func (s *source) read() (line []byte, last bool, err error) {
	s.buffer = s.buffer[:0]
	tooLong := false
	for {
		part, err := s.lines.ReadSlice('\n')
		if len(s.buffer)+len(part) > maxLineBytes {
			tooLong, s.buffer = true, s.buffer[:0]
		}
		if !tooLong {
			s.buffer = append(s.buffer, part...)
		}
		switch {
		case errors.Is(err, bufio.ErrBufferFull):
			continue
		case err == io.EOF && (tooLong || len(s.buffer) > 0):
			last = true
		case err == io.EOF:
			return nil, true, io.EOF
		case err != nil:
			return nil, true, err
		}
		if tooLong {
			return nil, last, errTooLong
		}
		line = s.buffer
		if n := len(line); n > 0 && line[n-1] == '\n' {
			line = line[:n-1]
		}
		if n := len(line); n > 0 && line[n-1] == '\r' {
			line = line[:n-1]
		}
		return line, last, nil
	}
}

// failed says in words what went wrong in reading the file.
func (s *source) failed(err error) error {
	_, isCorrupt := errors.AsType[flate.CorruptInputError](err)
	switch {
	case errors.Is(err, io.ErrUnexpectedEOF):
		return fmt.Errorf("%s is truncated: it ends early, after line %d", s.name, s.number)
	case isCorrupt, errors.Is(err, gzip.ErrChecksum), errors.Is(err, gzip.ErrHeader):
		return fmt.Errorf("%s is damaged after line %d: %w", s.name, s.number, err)
	}
	return fmt.Errorf("read %s after line %d: %w", s.name, s.number, err)
}
