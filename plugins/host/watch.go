package host

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// slot is an executable file in the folder, and its plugin.
type slot struct {
	path string
	// seen is the file as it was at the last look, nil for none; taken is the file
	// as it was when it was last started.
	seen, taken fs.FileInfo
	// coming is starting, to replace serving; cancel stops it.
	coming *worker
	cancel context.CancelFunc
	// retry is when a file that did not start is tried again; zero for when it has
	// changed. conflict tells that it waits for a name.
	retry    time.Time
	pauses   pause
	conflict bool

	// What follows is guarded by the host's mu.

	// serving is in the current set, nil for none.
	serving *worker
	// failed is the current version of the file if it does not serve, or nil.
	failed *worker
}

// snapshot returns the plugin to be listed; none is while it starts for the first
// time. The host's mu is held.
func (s *slot) snapshot() (p Plugin, ok bool) {
	switch {
	case s.serving == nil && s.failed == nil:
		return Plugin{}, false
	case s.serving == nil:
		return s.failed.snapshot(), true
	}
	p = s.serving.snapshot()
	if s.failed != nil {
		p.Reason = strings.TrimPrefix(p.Reason+"; ", "; ") + "the current file is not used: " + s.failed.snapshot().Reason
	}
	return p, true
}

// look is the time between two looks at the folder. A look takes some microseconds per
// file, so notifications of the operating system would gain nothing, and not all file
// systems have them.
const look = 200 * time.Millisecond

// watch starts plugins whose files are new in the folder, and stops those whose files
// are gone. Only its own goroutine uses it, except for the slots.
type watch struct {
	host   *Host
	folder string
	// arrived takes the workers that were started, and how that went.
	arrived chan arrival
	// lock is the lock file as it was at the last look, nil for none; pins are what
	// it says, and badLock why it cannot be read.
	lock    fs.FileInfo
	pins    pins
	badLock error
	// before are those that arrived while the host started.
	before []arrival
	// unread tells that the folder could not be read at the last look.
	unread bool
}

type arrival struct {
	slot   *slot
	worker *worker
	err    error
}

func newWatch(h *Host, folder string) *watch {
	return &watch{host: h, folder: folder, arrived: make(chan arrival)}
}

// openFolder returns the folder's absolute path, and an error if it cannot be read.
func openFolder(folder string) (string, error) {
	if folder == "" {
		return "", nil
	}
	folder, err := filepath.Abs(folder)
	if err != nil {
		return "", fmt.Errorf("finding the plugin folder: %w", err)
	}
	_, err = find(folder)
	return folder, err
}

// find returns the executable files of the folder by path; none if there is no folder.
// It skips hidden files: a dot at the beginning marks files that are still being
// copied.
func find(folder string) (map[string]fs.FileInfo, error) {
	entries, err := os.ReadDir(folder)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("reading the plugin folder: %w", err)
	}
	files := map[string]fs.FileInfo{}
	for _, entry := range entries {
		path := filepath.Join(folder, entry.Name())
		// Stat follows links.
		info, err := os.Stat(path)
		if err != nil || strings.HasPrefix(entry.Name(), ".") || !info.Mode().IsRegular() || info.Mode()&0o111 == 0 {
			continue
		}
		files[path] = info
	}
	return files, nil
}

// same tells whether a file is as it was.
func same(a, b fs.FileInfo) bool {
	if a == nil || b == nil {
		return a == b
	}
	return os.SameFile(a, b) && a.Size() == b.Size() && a.ModTime().Equal(b.ModTime()) && a.Mode() == b.Mode()
}

// first starts every file in the folder, and returns when each has started or failed.
func (w *watch) first(ctx context.Context) {
	if w.folder == "" {
		return
	}
	files, _ := find(w.folder) // it was read before
	w.readLock(ctx)
	for path, info := range files {
		s := w.slot(path)
		s.seen = info
		w.start(ctx, s)
	}
	for range files {
		w.before = append(w.before, <-w.arrived)
	}
	slices.SortFunc(w.before, func(a, b arrival) int { return strings.Compare(a.slot.path, b.slot.path) })
}

// settle takes those into service that arrived while the host started, in the
// order of their names.
func (w *watch) settle(ctx context.Context) {
	w.host.publish([]*worker{w.host.builtin})
	for _, a := range w.before {
		w.arrive(ctx, a)
	}
	w.before = nil
}

// abandon ends those that arrived while the host started, for it does not.
func (w *watch) abandon() {
	for _, a := range w.before {
		a.worker.refuse(errors.New("the host did not start"))
	}
}

// run follows the folder until ctx ends.
func (w *watch) run(ctx context.Context) {
	if w.folder == "" {
		return
	}
	ticks := time.NewTicker(look)
	defer ticks.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case a := <-w.arrived:
			w.arrive(ctx, a)
		case <-ticks.C:
			w.look(ctx)
		}
	}
}

// look compares the folder with its last state. A changed file must be the same at two
// looks, so that a file that is still being written is left alone.
func (w *watch) look(ctx context.Context) {
	files, err := find(w.folder)
	if err != nil {
		if !w.unread {
			w.host.options.Logger.ErrorContext(ctx, "cannot read the plugin folder; the loaded plugins keep running", "error", err)
		}
		w.unread = true
		return
	}
	w.unread = false
	w.relock(ctx)
	for path, info := range files {
		s := w.slot(path)
		settled := same(s.seen, info)
		s.seen = info
		if settled && (!same(s.taken, info) || !s.retry.IsZero() && !time.Now().Before(s.retry)) {
			w.start(ctx, s)
		}
	}
	for path, s := range maps.Clone(w.host.slots) {
		if files[path] != nil {
			continue
		}
		if s.seen == nil {
			w.remove(ctx, s)
		}
		s.seen = nil
	}
}

// readLock reads the lock file if it has changed, and tells whether it has. Nothing
// starts while it cannot be read.
func (w *watch) readLock(ctx context.Context) (changed bool) {
	info, err := os.Stat(filepath.Join(w.folder, LockFile))
	if err != nil {
		info = nil
	}
	if same(w.lock, info) {
		return false
	}
	w.lock = info
	if w.pins, w.badLock = readPins(w.folder); w.badLock != nil {
		w.host.options.Logger.ErrorContext(ctx, "no plugin in the folder is started", "error", w.badLock)
	}
	return true
}

// relock applies a changed lock file: it may allow files refused before, and forbid
// files that serve.
func (w *watch) relock(ctx context.Context) {
	if !w.readLock(ctx) || w.badLock != nil {
		return
	}
	for _, s := range w.host.slots {
		if s.failed != nil || s.serving != nil && w.pins.allow(s.serving.program) != nil {
			s.pauses.next = 0
			w.start(ctx, s)
		}
	}
}

// slot returns the slot of the file, and makes it if there is none.
func (w *watch) slot(path string) *slot {
	w.host.mu.Lock()
	defer w.host.mu.Unlock()
	s := w.host.slots[path]
	if s == nil {
		s = &slot{path: path, pauses: pause{first: w.host.options.FirstPause, last: w.host.options.LastPause}}
		w.host.slots[path] = s
	}
	return s
}

// start starts the current version of the file. The previous version serves until the
// new one has proved itself.
func (w *watch) start(ctx context.Context, s *slot) {
	if s.cancel != nil {
		s.cancel()
	}
	if !same(s.taken, s.seen) {
		s.pauses.next = 0
	}
	coming := w.host.newWorker(program{file: s.path, path: s.path}, filepath.Base(s.path))
	s.taken, s.coming, s.retry, s.conflict = s.seen, coming, time.Time{}, false
	var starting context.Context
	starting, s.cancel = context.WithCancel(ctx)
	pins, badLock := w.pins, w.badLock
	w.host.ended.Go(func() {
		a := arrival{slot: s, worker: coming}
		if a.err = badLock; a.err == nil {
			a.err = coming.begin(starting, pins)
		} else {
			coming.refuse(a.err)
		}
		select {
		case w.arrived <- a:
		case <-ctx.Done():
			coming.refuse(ctx.Err())
		}
	})
}

// arrive puts a started worker into service, or records why not.
func (w *watch) arrive(ctx context.Context, a arrival) {
	s, log := a.slot, w.host.options.Logger.With("plugin", a.worker.name, "file", a.slot.path)
	if s.coming != a.worker {
		a.worker.refuse(errors.New("its file was changed or removed during the start"))
		return
	}
	s.cancel()
	s.coming, s.cancel = nil, nil
	err := a.err
	switch {
	case err != nil:
		s.retry = time.Now().Add(s.pauses.after(0))
	default:
		if err = w.conflict(s, a.worker); err != nil {
			s.conflict = true
			a.worker.refuse(err)
			a.worker.name = filepath.Base(s.path) // its own may be another's
		}
	}
	w.host.mu.Lock()
	failed, last := s.failed, s.serving
	if s.failed = nil; err != nil {
		s.failed = a.worker
	} else {
		s.serving = a.worker
	}
	// What serves and is not allowed any more does not serve on.
	withdrawn := err != nil && last != nil && w.badLock == nil && w.pins.allow(last.program) != nil
	if withdrawn {
		s.serving = nil
	}
	w.host.mu.Unlock()
	if withdrawn {
		w.publish()
		last = nil
	}
	if err != nil {
		if failed == nil || failed.snapshot().Reason != a.worker.snapshot().Reason {
			log.ErrorContext(ctx, "a plugin failed", "error", err, "previous version serves", last != nil)
		}
		return
	}
	w.host.serve(ctx, a.worker)
	w.publish()
	log.InfoContext(ctx, "a plugin is running", "version", a.worker.described.GetVersion(), "types", len(a.worker.types), "replaces another version", last != nil)
	if last != nil {
		w.retryConflicts(ctx)
	}
}

// conflict returns an error if a serving plugin has one of the worker's names.
func (w *watch) conflict(s *slot, coming *worker) error {
	names := newNames(w.host.options.Taken)
	workers := append(w.serving(s), coming)
	for _, worker := range workers {
		if err := names.take(worker); err != nil {
			return err
		}
	}
	return nil
}

// serving returns the workers that serve, but for the slot's.
func (w *watch) serving(but *slot) []*worker {
	workers := []*worker{w.host.builtin}
	for _, s := range w.host.slots {
		if s != but && s.serving != nil {
			workers = append(workers, s.serving)
		}
	}
	return workers
}

func (w *watch) publish() { w.host.publish(w.serving(nil)) }

// remove stops what the slot serves, because its file is gone.
func (w *watch) remove(ctx context.Context, s *slot) {
	if s.cancel != nil {
		s.cancel()
	}
	s.coming = nil
	w.host.mu.Lock()
	delete(w.host.slots, s.path)
	w.host.mu.Unlock()
	if s.serving == nil {
		return
	}
	w.publish()
	w.host.options.Logger.WarnContext(ctx, "a plugin was removed; filters of its types are unavailable", "plugin", s.serving.name, "file", s.path)
	w.retryConflicts(ctx)
}

// retryConflicts starts plugins that waited for a name which may be free now.
func (w *watch) retryConflicts(ctx context.Context) {
	for _, s := range w.host.slots {
		if s.conflict && s.coming == nil {
			w.start(ctx, s)
		}
	}
}
