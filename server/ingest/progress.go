package ingest

import (
	"fmt"
	"io"
	"time"

	"github.com/schollz/progressbar/v3"
)

// progress draws a bar of the bytes read, the lines a second and the time left.
// A nil *progress draws nothing.
type progress struct {
	bar   *progressbar.ProgressBar
	begun time.Time
}

// newProgress returns a bar on w; total is -1 where the size is not known. The
// clock is the real one, since nothing but the bar depends on it.
func newProgress(w io.Writer, total int64) *progress {
	if w == nil {
		return nil
	}
	bar := progressbar.NewOptions64(total,
		progressbar.OptionSetWriter(w),
		progressbar.OptionSetDescription("importing"),
		progressbar.OptionShowBytes(true),
		progressbar.OptionSetPredictTime(true),
		progressbar.OptionSetWidth(24),
		progressbar.OptionThrottle(100*time.Millisecond),
		progressbar.OptionSetSpinnerChangeInterval(0), // no goroutine
		progressbar.OptionClearOnFinish(),
	)
	return &progress{bar: bar, begun: time.Now()}
}

func (p *progress) update(bytes int64, lines int) {
	if p == nil {
		return
	}
	rate := float64(lines) / max(time.Since(p.begun).Seconds(), 1e-3)
	p.bar.Describe(fmt.Sprintf("%d lines, %.0f lines/s", lines, rate))
	// The only error is the terminal's, without which the import goes on.
	_ = p.bar.Set64(bytes)
}

// clear makes room for other lines on the terminal.
func (p *progress) clear() {
	if p != nil {
		_ = p.bar.Clear()
	}
}

func (p *progress) end() {
	if p != nil {
		_ = p.bar.Finish()
	}
}
