package host

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/maypok86/otter/v2"

	"github.com/goalgraph/goalgraph/plugins/builtin"
	"github.com/goalgraph/goalgraph/plugins/process"
)

// Host runs the plugins of a folder, and replaces a plugin when its file is replaced.
// It is safe for concurrent use.
type Host struct {
	options Options
	memory  *memory
	merges  *otter.Cache[string, *Merged]
	scratch scratch
	starter *process.Starter
	// starts counts the starts of all plugins, so that every start has its own number.
	starts atomic.Int64

	stop  context.CancelFunc
	ended sync.WaitGroup

	mu      sync.Mutex
	builtin *worker
	// slots are the files of the folder, by path.
	slots map[string]*slot
	// current is the set that new operations use. sets are all sets in use, newest
	// last.
	current *Set
	sets    []*Set
}

// New starts the built-in plugin and every executable file in the folder, all at once,
// and returns when each has described itself or failed. From then on the host follows
// the files in the folder. It is an error if the built-in plugin does not start or the
// folder cannot be read; other plugins that fail are only listed as FAILED. ctx limits
// the start; Close stops the plugins.
func New(ctx context.Context, options Options) (*Host, error) {
	o := options.withDefaults()
	folder, err := openFolder(o.Folder)
	if err != nil {
		return nil, err
	}
	path, arg, err := builtin.Command()
	if err != nil {
		return nil, fmt.Errorf("finding the running program to start the built-in plugin: %w", err)
	}
	scratch, err := openScratch()
	if err != nil {
		return nil, err
	}
	running, stop := context.WithCancel(context.WithoutCancel(ctx))
	h := &Host{
		options: o, memory: newMemory(o.MemoryBytes / 2), merges: newMerges(o.MemoryBytes / 2),
		scratch: scratch, starter: process.NewStarter(), slots: map[string]*slot{}, stop: stop,
	}
	h.builtin = h.newWorker(program{path: path, args: []string{arg}, builtin: true}, builtin.Name)
	watch := newWatch(h, folder)
	var begun sync.WaitGroup
	begun.Go(func() { err = h.builtin.begin(ctx, nil) })
	begun.Go(func() { watch.first(ctx) })
	begun.Wait()
	if err != nil {
		watch.abandon()
		h.Close()
		return nil, fmt.Errorf("starting the built-in plugin: %w", err)
	}
	h.serve(running, h.builtin)
	watch.settle(running)
	h.ended.Go(func() { watch.run(running) })
	return h, nil
}

// serve keeps the worker running until it is stopped or ctx ends.
func (h *Host) serve(ctx context.Context, w *worker) {
	ctx, w.stop = context.WithCancel(ctx)
	h.ended.Go(func() { w.supervise(ctx) })
}

// Close stops all plugins and removes their sockets. Calls in progress fail. It may be
// called more than once.
func (h *Host) Close() error {
	h.stop()
	h.ended.Wait()
	h.starter.Close()
	return h.scratch.close()
}

// Plugins returns the state of every plugin: the built-in one first, then the others by
// name.
func (h *Host) Plugins() []Plugin {
	h.mu.Lock()
	defer h.mu.Unlock()
	list := []Plugin{h.builtin.snapshot()}
	for _, s := range h.slots {
		if plugin, ok := s.snapshot(); ok {
			list = append(list, plugin)
		}
	}
	slices.SortFunc(list[1:], func(a, b Plugin) int {
		return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.File, b.File))
	})
	return list
}

// Acquire returns the current set. Its plugins run until Release, even if they are
// replaced or removed before.
func (h *Host) Acquire() *Set {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.current.users++
	return h.current
}

// publish makes a set of these workers current, for everyone at once.
func (h *Host) publish(workers []*worker) {
	next := newSet(h, workers)
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, w := range workers {
		w.users++
	}
	last := h.current
	next.users = 1 // the host's own
	h.current = next
	h.sets = append(h.sets, next)
	if last != nil {
		next.Number = last.Number + 1
		h.release(last)
	}
}

// release removes a user from the set. A set without users releases its plugins, and a
// plugin in no set stops. h.mu is held.
func (h *Host) release(s *Set) {
	if s.users--; s.users > 0 {
		return
	}
	h.sets = slices.DeleteFunc(h.sets, func(other *Set) bool { return other == s })
	for _, w := range s.workers {
		if w.users--; w.users == 0 {
			w.stop()
		}
	}
}
