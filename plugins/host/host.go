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

// Host is a folder of plugins that are kept running, and replaced when their files
// are. Its methods may be called by several goroutines at once.
type Host struct {
	options Options
	memory  *memory
	merges  *otter.Cache[string, *Merged]
	scratch scratch
	starter *process.Starter
	// starts counts the starts of all plugins, so that each has a number of its own.
	starts atomic.Int64

	stop  context.CancelFunc
	ended sync.WaitGroup

	mu      sync.Mutex
	builtin *worker
	// slots are the files of the folder, by path.
	slots map[string]*slot
	// current is the set that operations begin with, and sets are those in use, the
	// newest last.
	current *Set
	sets    []*Set
}

// New starts the built-in plugin and every executable file in the options'
// folder, all at once, and returns when each has described itself or failed. From
// then on, plugins are loaded, replaced and ended as the files in the folder are.
// The error says that the built-in plugin did not start, or that the folder cannot
// be read; a plugin of the folder that fails is only listed so. ctx bounds the
// start; Close ends the plugins.
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

// Close ends all plugins and removes their sockets. Calls that are under way
// fail. It may be called more than once.
func (h *Host) Close() error {
	h.stop()
	h.ended.Wait()
	h.starter.Close()
	return h.scratch.close()
}

// Plugins returns the state of each plugin, the built-in one first and the others
// by name.
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

// Acquire returns the set of the moment. Its plugins run until Release, also when
// they are replaced or removed meanwhile.
func (h *Host) Acquire() *Set {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.current.users++
	return h.current
}

// publish makes a set of these workers the current one, at once for all.
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

// release takes a user from the set, and with the last one the set from its
// plugins: one that no set has ends. h.mu is held.
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
