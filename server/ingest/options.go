package ingest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"time"

	"github.com/goalgraph/goalgraph/model"
	"github.com/goalgraph/goalgraph/model/store"
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

// WriteFunc stores a batch, all or nothing, and tells what became of it. The batch is its to keep.
type WriteFunc func(ctx context.Context, batch []model.Message) (store.Written, error)

// Target is the site that lines go to.
type Target struct {
	// Site is what the site is called.
	Site string
	// IsNew tells that the site is made by the first Write.
	IsNew bool
	Write WriteFunc
}

// Options say what is imported, and where to.
type Options struct {
	// Files are read in order; "-" is Stdin. A file that is packed by gzip is
	// read as what is in it.
	Files []string
	Stdin io.Reader
	// Format is that of all files; empty is Auto. Files may be in different formats then.
	Format Format
	// LogFormat is a log_format of nginx that the files are in, or empty.
	LogFormat string
	// KeepGoing imports files too of which many lines can not be read.
	KeepGoing bool
	// IncludeBots keeps what bots did. Without it, lines of access logs are left out, and
	// messages by the site's policy (Plan.SetBots).
	IncludeBots bool
	// Locations finds where addresses are; nil finds nothing.
	Locations *Locations
	// Write stores what is not stored by a Target. Calls of Write come one after another,
	// in the order of the lines.
	Write WriteFunc
	// Route returns the site of a host, where the host that a line names is to choose it;
	// nil for a host that no site has, and whose lines are ignored then. mayCreate tells
	// that enough lines name the host for a site to be made. Without Route all lines go to
	// Write, and so do those of files that name no host.
	Route func(ctx context.Context, host string, mayCreate bool) (*Target, error)
	// Batch is the most messages that a call of Write gets; 5,000 where it is zero.
	Batch int
	// Progress is a terminal to draw a bar on; nil draws none.
	Progress io.Writer
	// Notes is told what each file is read as, before the first Write; then of the first 20
	// rejected lines of a file, as FILE:LINE: reason, and of how many more there were; nil
	// is not. It may be Progress.
	Notes io.Writer
	// Now is the clock by which times are found to be in the future; time.Now where it is
	// nil.
	Now func() time.Time
}

func (o *Options) validate() error {
	if o.Format == "" {
		o.Format = Auto
	}
	if o.Batch <= 0 {
		o.Batch = defaultBatch
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	stdin := 0
	for _, name := range o.Files {
		if name == "-" {
			stdin++
		}
	}
	switch {
	case len(o.Files) == 0:
		return errors.New("import: no file is given")
	case !slices.Contains(Formats, o.Format):
		return fmt.Errorf("import: unknown format %q; use one of %s", string(o.Format), names(Formats))
	case o.LogFormat != "" && o.Format != Auto:
		return model.Invalid("--log-format", "and --format cannot be given together")
	case stdin > 1 || (stdin == 1 && o.Stdin == nil):
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
