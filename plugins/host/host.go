package host

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/maypok86/otter/v2"

	"github.com/goalgraph/goalgraph/plugins"
	"github.com/goalgraph/goalgraph/plugins/builtin"
)

// Host is a set of plugins that are kept running. Its methods may be called by
// several goroutines at once.
type Host struct {
	workers []*worker
	types   []*Type
	byName  map[string]*Type
	memory  *memory
	merges  *otter.Cache[string, *Merged]
	options Options

	sockets string
	stop    context.CancelFunc
	ended   sync.WaitGroup
}

// New starts the built-in plugin and every executable file in the options'
// folder, all at once, and returns when each has described itself or failed. The
// error says that the built-in plugin did not start, or that the folder cannot
// be read; a plugin of the folder that fails is only listed so. ctx bounds the
// start; Close ends the plugins.
func New(ctx context.Context, options Options) (*Host, error) {
	o := options.withDefaults()
	programs, err := find(o.Folder)
	if err != nil {
		return nil, err
	}
	path, arg, err := builtin.Command()
	if err != nil {
		return nil, fmt.Errorf("finding the running program to start the built-in plugin: %w", err)
	}
	// A folder of our own, so that the sockets of plugins that were killed go too.
	sockets, err := os.MkdirTemp(socketParent(os.TempDir()), plugins.SocketFolder)
	if err != nil {
		return nil, fmt.Errorf("making a folder for the plugins' sockets: %w", err)
	}
	h := &Host{byName: map[string]*Type{}, memory: newMemory(o.MemoryBytes / 2), merges: newMerges(o.MemoryBytes / 2), options: o, sockets: sockets}
	h.workers = append(h.workers, newWorker(program{path: path, args: []string{arg}, builtin: true}, builtin.Name, sockets, o))
	for _, file := range programs {
		h.workers = append(h.workers, newWorker(program{path: file}, filepath.Base(file), sockets, o))
	}
	var begun sync.WaitGroup
	errs := make([]error, len(h.workers))
	for i, w := range h.workers {
		begun.Go(func() { errs[i] = w.begin(ctx) })
	}
	begun.Wait()

	running, stop := context.WithCancel(context.WithoutCancel(ctx))
	h.stop = stop
	names := newNames(o.Taken)
	for i, w := range h.workers {
		err := errs[i]
		if err == nil {
			if err = w.take(names); err != nil {
				w.refuse(err)
			}
		}
		if err != nil {
			o.Logger.Error("a plugin failed", "plugin", w.name, "file", w.program.path, "error", err)
			if w.program.builtin {
				for _, other := range h.workers {
					other.refuse(errors.New("the host did not start"))
				}
				h.Close()
				return nil, fmt.Errorf("starting the built-in plugin: %w", err)
			}
			continue
		}
		h.types = append(h.types, w.types...)
		o.Logger.Info("a plugin runs", "plugin", w.name, "version", w.described.GetVersion(), "types", len(w.types))
		h.ended.Go(func() { w.supervise(running) })
	}
	slices.SortFunc(h.types, func(a, b *Type) int { return cmp.Compare(a.Name, b.Name) })
	for _, t := range h.types {
		h.byName[t.Name] = t
	}
	return h, nil
}

// socketParent returns the folder for temporary files, or a shorter one where the
// path of a socket in it would be longer than systems allow (104 bytes on macOS).
func socketParent(temp string) string {
	if len(temp) > 52 {
		return "/tmp"
	}
	return temp
}

// find returns the executable files of the folder, by name. What a hidden file's
// name begins with, a dot, marks files that are still being copied.
func find(folder string) ([]string, error) {
	if folder == "" {
		return nil, nil
	}
	entries, err := os.ReadDir(folder)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading the folder of plugins: %w", err)
	}
	folder, err = filepath.Abs(folder)
	if err != nil {
		return nil, fmt.Errorf("finding the folder of plugins: %w", err)
	}
	var files []string
	for _, entry := range entries {
		path := filepath.Join(folder, entry.Name())
		// Stat follows links.
		info, err := os.Stat(path)
		if err != nil || strings.HasPrefix(entry.Name(), ".") || !info.Mode().IsRegular() || info.Mode()&0o111 == 0 {
			continue
		}
		files = append(files, path)
	}
	return files, nil
}

// Close ends all plugins and removes their sockets. Calls that are under way
// fail. It may be called more than once.
func (h *Host) Close() error {
	h.stop()
	h.ended.Wait()
	return os.RemoveAll(h.sockets)
}

// Plugins returns the state of each plugin, the built-in one first and the others
// by name.
func (h *Host) Plugins() []Plugin {
	list := make([]Plugin, len(h.workers))
	for i, w := range h.workers {
		list[i] = w.snapshot()
	}
	slices.SortStableFunc(list[1:], func(a, b Plugin) int { return cmp.Compare(a.Name, b.Name) })
	return list
}

// Types returns the loaded filter types by name. They stay the same.
func (h *Host) Types() []*Type { return slices.Clone(h.types) }

// Type returns the loaded filter type of the name.
func (h *Host) Type(name string) (*Type, bool) {
	t, ok := h.byName[name]
	return t, ok
}
