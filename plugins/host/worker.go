package host

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/goalgraph/goalgraph/model"
	"github.com/goalgraph/goalgraph/plugins/pb"
	"github.com/goalgraph/goalgraph/plugins/process"
)

// worker keeps one plugin running.
type worker struct {
	host    *Host
	program program
	options Options
	log     *slog.Logger

	// stop ends it; set when it is taken into service.
	stop context.CancelFunc
	// users counts the sets that it is in; guarded by the host's mu.
	users int

	// The plugin's description at its first start, which every later start must repeat.
	// It does not change once begin has returned.
	described   *pb.DescribeResponse
	name        string
	types       []*Type
	definitions []string

	calls atomic.Int64

	mu     sync.Mutex
	status Status
	reason string
	// starts counts them from 1.
	starts int
	// running is nil while the plugin is not; last is the number of the newest
	// process, running or not.
	running *process.Process
	last    int64
	// late counts calls in a row that missed their deadline.
	late int
	hung chan struct{}
}

// maxLate is how many missed deadlines in a row make a plugin count as dead.
const maxLate = 5

func (h *Host) newWorker(p program, name string) *worker {
	return &worker{
		host: h, program: p, options: h.options, name: name,
		log: h.options.Logger.With("plugin", name), hung: make(chan struct{}, 1),
	}
}

// begin starts the plugin for the first time, if the pins allow it, and reads its
// description.
func (w *worker) begin(ctx context.Context, pins pins) error {
	if !w.program.builtin {
		var err error
		if w.program, err = load(w.program.file, w.host.scratch.path); err != nil {
			w.refuse(err)
			return err
		}
		if err := pins.allow(w.program); err != nil {
			w.refuse(err)
			return err
		}
	}
	proc, err := w.start(ctx)
	if errors.Is(err, fs.ErrPermission) { // the copy may be where nothing may run
		w.program = w.program.inPlace()
		proc, err = w.start(ctx)
	}
	if err != nil {
		w.refuse(err)
		return err
	}
	w.mu.Lock()
	w.status, w.running = Running, proc
	w.mu.Unlock()
	types, definitions, err := w.read(w.described)
	if err != nil {
		w.refuse(err)
		return err
	}
	w.name, w.types, w.definitions = w.described.GetName(), types, definitions
	return nil
}

// refuse stops a started plugin for good.
func (w *worker) refuse(reason error) {
	w.mu.Lock()
	proc := w.running
	w.running, w.status, w.reason = nil, Failed, clean(reason.Error(), maxReason)
	w.mu.Unlock()
	if proc != nil {
		proc.Kill()
	}
	w.program.unload()
}

// start starts the program, and has it describe itself.
func (w *worker) start(ctx context.Context) (*process.Process, error) {
	ctx, cancel := context.WithTimeout(ctx, w.options.StartTimeout)
	defer cancel()
	if err := w.program.check(); err != nil {
		return nil, fmt.Errorf("the plugin did not start: %w", err)
	}
	proc, err := w.host.starter.Start(ctx, process.Program{
		Path: w.program.path, Args: w.program.args, Sockets: w.host.scratch.path, Logger: logger(w.options.Logger.With("file", w.program.file)),
	})
	if err != nil {
		return nil, fmt.Errorf("the plugin did not start: %w", err)
	}
	described, err := proc.Describe(ctx, &pb.DescribeRequest{})
	if err != nil {
		proc.Kill()
		return nil, fmt.Errorf("the plugin did not describe itself: %w", err)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.described != nil && !proto.Equal(w.described, described) {
		go proc.Kill()
		return nil, errors.New("the plugin describes itself differently than at its first start")
	}
	w.described = described
	w.starts++
	w.last = w.host.starts.Add(1)
	return proc, nil
}

// supervise restarts the plugin whenever it is gone. When ctx ends, it stops the
// plugin.
func (w *worker) supervise(ctx context.Context) {
	defer w.program.unload()
	pauses := pause{first: w.options.FirstPause, last: w.options.LastPause}
	w.mu.Lock()
	proc := w.running
	w.mu.Unlock()
	for proc != nil {
		began := time.Now()
		reason := w.await(ctx, proc)
		w.mu.Lock()
		w.running = nil
		if ctx.Err() == nil {
			w.status, w.reason = Restarting, reason
		}
		w.mu.Unlock()
		if ctx.Err() == nil {
			proc.Kill()
		} else {
			proc.End()
		}
		proc = nil
		for lived := time.Since(began); proc == nil; lived = 0 {
			if ctx.Err() != nil {
				return
			}
			wait := pauses.after(lived)
			w.log.Warn("restarting a plugin", "reason", reason, "after", wait)
			select {
			case <-ctx.Done():
				return
			case <-time.After(wait):
			}
			var err error
			if proc, err = w.start(ctx); err != nil && ctx.Err() == nil {
				w.log.Error("a plugin did not restart", "error", err)
				w.mu.Lock()
				reason = clean(err.Error(), maxReason)
				w.reason = reason
				w.mu.Unlock()
			}
		}
		select {
		case <-w.hung: // said of the process before
		default:
		}
		w.mu.Lock()
		w.running, w.status, w.reason, w.late = proc, Running, "", 0
		w.mu.Unlock()
	}
}

// await returns when the process is gone, hangs or uses too much memory, or when ctx
// ends. It says which.
func (w *worker) await(ctx context.Context, proc *process.Process) (reason string) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	lost := make(chan struct{})
	go func() {
		defer close(lost)
		proc.Gone(ctx)
	}()
	weigh := time.NewTicker(weighing)
	defer weigh.Stop()
	for {
		select {
		case <-lost:
			return "the plugin ended"
		case <-w.hung:
			return fmt.Sprintf("the plugin missed its deadline %d times in a row and was stopped", maxLate)
		case <-weigh.C:
			if bytes := resident(proc.PID); bytes > w.options.PluginBytes {
				return fmt.Sprintf("the plugin used %d MiB of memory, more than the maximum of %d, and was stopped", bytes>>20, w.options.PluginBytes>>20)
			}
		}
	}
}

// weighing is the time between two checks of a plugin's memory.
const weighing = 250 * time.Millisecond

// call makes one call with a deadline. Its error is that of the caller's context,
// or Unavailable for anything that is the plugin's fault.
func call[Q, A any](ctx context.Context, w *worker, method func(pb.FilterPluginClient, context.Context, Q) (A, error), request Q) (A, error) {
	return callWithin(ctx, w, w.options.CallTimeout, method, request)
}

// callWithin is call with a deadline chosen by the caller.
func callWithin[Q, A any](ctx context.Context, w *worker, limit time.Duration, method func(pb.FilterPluginClient, context.Context, Q) (A, error), request Q) (A, error) {
	var none A
	w.mu.Lock()
	proc, state := w.running, w.status
	w.mu.Unlock()
	if proc == nil {
		return none, w.unavailable(fmt.Errorf("the plugin is %s", state))
	}
	w.calls.Add(1)
	limited, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	answer, err := method(proc, limited, request)
	if ctx.Err() != nil {
		return none, ctx.Err()
	}
	late := status.Code(err) == codes.DeadlineExceeded
	if late && isOf(limited, ctx) {
		return none, context.DeadlineExceeded // which the plugin noticed first
	}
	w.note(late)
	if err != nil {
		return none, w.unavailable(err)
	}
	return answer, nil
}

// isOf tells whether the deadline of a context is that of the one it was made of.
func isOf(limited, ctx context.Context) bool {
	own, _ := limited.Deadline()
	callers, ok := ctx.Deadline()
	return ok && !own.Before(callers)
}

func (w *worker) note(late bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !late {
		w.late = 0
		return
	}
	if w.late++; w.late >= maxLate {
		w.late = 0
		select {
		case w.hung <- struct{}{}:
		default:
		}
	}
}

// unavailable returns the error for a filter whose plugin cannot answer.
func (w *worker) unavailable(cause error) error {
	err := model.Errorf(model.Unavailable, "the plugin %s cannot answer right now; try again", w.name)
	err.Cause = cause
	return err
}

// generation is the number of the newest start, unique among the starts of all plugins.
// Its answers count while the plugin is down.
func (w *worker) generation() int64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.last
}

func (w *worker) snapshot() Plugin {
	w.mu.Lock()
	defer w.mu.Unlock()
	p := Plugin{
		Name: w.name, Version: w.described.GetVersion(), Builtin: w.program.builtin, Status: w.status,
		Restarts: max(0, w.starts-1), Reason: w.reason, Calls: w.calls.Load(),
	}
	if !p.Builtin {
		p.File = w.program.file
	}
	if p.Status != Failed {
		p.Types = w.types
	}
	return p
}
