package process

import (
	"bytes"
	"io"
	"strings"
	"sync"
	"time"
)

// longestLine is the maximum length of a log line, in bytes. Longer lines are split.
const longestLine = 4096

// throttled reads at most flood bytes per second, so a plugin that writes more waits.
type throttled struct {
	io.ReadCloser
	since time.Time
	read  int
}

const flood = 1 << 20

func (t *throttled) Read(p []byte) (int, error) {
	if now := time.Now(); now.Sub(t.since) > time.Second {
		t.since, t.read = now, 0
	}
	if t.read >= flood {
		time.Sleep(time.Until(t.since.Add(time.Second)))
	}
	n, err := t.ReadCloser.Read(p)
	t.read += n
	return n, err
}

// firstLine reads the first line, or its first bytes if it does not end, and drops the
// rest.
type firstLine struct {
	throttled
	read int
	over bool
}

const longestHandshake = 4096

func (f *firstLine) Read(p []byte) (int, error) {
	if f.over {
		if _, err := io.Copy(io.Discard, &f.throttled); err != nil {
			return 0, err
		}
		return 0, io.EOF
	}
	n, err := f.throttled.Read(p)
	f.read += n
	if end := bytes.IndexByte(p[:n], '\n'); end >= 0 {
		n, f.over = end+1, true
	} else if f.read >= longestHandshake {
		p[n-1], f.over = '\n', true
	}
	return n, err
}

// tail keeps the last bytes of a plugin's standard error, to explain a failed start.
type tail struct {
	mu   sync.Mutex
	text []byte
}

const tailBytes = 2048

func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.text = append(t.text, p...)
	if over := len(t.text) - tailBytes; over > 0 {
		t.text = append(t.text[:0], t.text[over:]...)
	}
	return len(p), nil
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return strings.TrimSpace(strings.ToValidUTF8(string(t.text), "�"))
}
