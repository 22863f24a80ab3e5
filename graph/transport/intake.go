package transport

import (
	"bytes"
	"io"
	"sync/atomic"
	"time"

	"github.com/goalgraph/goalgraph/model"
)

const (
	// smallRequest is how many bytes of a request are read whatever others send: whoever sends large requests keeps
	// nobody out who sends small ones.
	smallRequest = 16 << 10
	// mostTaken is what all requests that are held may take in memory, about.
	mostTaken = 64 << 20
	// What JSON takes beside its text: objects, and all else that commas and brackets set apart.
	objectBytes, elementBytes = 320, 40
	// messageLimit is how long a message of a WebSocket may take to arrive.
	messageLimit = 20 * time.Second
)

// intake bounds the memory that requests take which are read, wait, or are carried out.
type intake struct{ taken atomic.Int64 }

// share is what one request takes of an intake. The nil share is of none.
type share struct {
	of    *intake
	bytes atomic.Int64
}

// read reads a request to its end. It takes memory as the request arrives, so that nobody takes more than what he has sent,
// and until the share is released.
func (i *intake) read(from io.Reader) (text []byte, taken *share, err error) {
	own := &share{of: i}
	defer func() {
		if err != nil {
			own.release()
		}
	}()
	for {
		if len(text) == cap(text) {
			more := max(1<<10, len(text))
			if err := own.grow(more, len(text)+more); err != nil {
				return nil, nil, err
			}
			text = append(make([]byte, 0, len(text)+more), text...)
		}
		n, err := from.Read(text[len(text):cap(text)])
		text = text[:len(text)+n]
		if err == io.EOF {
			break
		}
		if err != nil {
			return nil, nil, err
		}
	}
	objects, elements := bytes.Count(text, []byte("{")), bytes.Count(text, []byte(","))+bytes.Count(text, []byte("["))
	if err := own.grow(objects*objectBytes+elements*elementBytes, len(text)); err != nil {
		return nil, nil, err
	}
	return text, own, nil
}

// grow takes more memory for a request of so many bytes. The error says that there is none for a large one.
func (s *share) grow(more, length int) error {
	s.bytes.Add(int64(more))
	if s.of.taken.Add(int64(more)) > mostTaken && length > smallRequest {
		err := model.Errorf(model.ResourceExhausted, "too many large requests arrive at once: send this one again, or one of at most %d bytes", smallRequest)
		err.RetryAfter = time.Second
		return err
	}
	return nil
}

// release says that the request takes no memory any longer. It may be called again.
func (s *share) release() {
	if s != nil {
		s.of.taken.Add(-s.bytes.Swap(0))
	}
}
