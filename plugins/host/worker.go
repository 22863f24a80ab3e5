package host

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/goalgraph/goalgraph/model"
	"github.com/goalgraph/goalgraph/plugins/pb"
)

// worker keeps one plugin running.
type worker struct {
	program program
	sockets string
	options Options
	log     *slog.Logger

	mu sync.Mutex
	// described is what the plugin said at its first start; it says the same at
	// every other one.
	described *pb.DescribeResponse
	name      string
	types     []*Type
	status    Status
	reason    string
	starts    int
	// running is nil while the plugin is not; last is the newest process, running
	// or not.
	running *process
	last    int
	// late counts the calls in a row that were not answered in time.
	late int
	hung chan struct{}
}

// maxLate calls in a row without an answer in time make a plugin count as dead.
const maxLate = 5

func newWorker(p program, name, sockets string, o Options) *worker {
	return &worker{
		program: p, sockets: sockets, options: o, name: name,
		log: o.Logger.With("plugin", name), hung: make(chan struct{}, 1),
	}
}

// begin starts the plugin for the first time. A failure is final.
func (w *worker) begin(ctx context.Context) error {
	proc, err := w.start(ctx)
	w.mu.Lock()
	defer w.mu.Unlock()
	if err != nil {
		w.status, w.reason = Failed, clean(err.Error(), maxReason)
		return err
	}
	w.status, w.running = Running, proc
	return nil
}

// refuse stops a plugin that has started, for good.
func (w *worker) refuse(reason error) {
	w.mu.Lock()
	proc := w.running
	w.running, w.types, w.status, w.reason = nil, nil, Failed, clean(reason.Error(), maxReason)
	w.mu.Unlock()
	if proc != nil {
		proc.end()
	}
}

// start starts the program, and has it describe itself.
func (w *worker) start(ctx context.Context) (*process, error) {
	ctx, cancel := context.WithTimeout(ctx, w.options.StartTimeout)
	defer cancel()
	proc, err := start(ctx, w.program, w.sockets, w.options)
	if err != nil {
		return nil, err
	}
	described, err := proc.filter.Describe(ctx, &pb.DescribeRequest{})
	if err != nil {
		proc.end()
		return nil, fmt.Errorf("the plugin did not describe itself: %w", err)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.described != nil && !proto.Equal(w.described, described) {
		go proc.end()
		return nil, errors.New("the plugin describes itself otherwise than before; restart the server to load it anew")
	}
	w.described = described
	w.starts++
	w.last = w.starts
	proc.generation = w.starts
	return proc, nil
}

// supervise starts the plugin again whenever it is gone, until ctx ends, and then
// stops it.
func (w *worker) supervise(ctx context.Context) {
	pauses := pause{first: w.options.FirstPause, last: w.options.LastPause}
	w.mu.Lock()
	proc := w.running
	w.mu.Unlock()
	for proc != nil {
		began := time.Now()
		w.await(ctx, proc)
		w.mu.Lock()
		w.running = nil
		if ctx.Err() == nil {
			w.status, w.reason = Restarting, "the plugin ended"
		}
		w.mu.Unlock()
		proc.end()
		proc = nil
		for lived := time.Since(began); proc == nil; lived = 0 {
			if ctx.Err() != nil {
				return
			}
			wait := pauses.after(lived)
			w.log.Warn("a plugin ended and is started again", "after", wait)
			select {
			case <-ctx.Done():
				return
			case <-time.After(wait):
			}
			var err error
			if proc, err = w.start(ctx); err != nil && ctx.Err() == nil {
				w.log.Error("a plugin did not start again", "error", err)
				w.mu.Lock()
				w.reason = clean(err.Error(), maxReason)
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

// await returns when the process is gone, hangs, or ctx ends.
func (w *worker) await(ctx context.Context, proc *process) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	lost := make(chan struct{})
	go func() {
		defer close(lost)
		proc.gone(ctx)
	}()
	select {
	case <-lost:
	case <-w.hung:
		w.log.Error("a plugin does not answer and is ended")
	}
}

// call makes one call with a deadline. Its error is that of the caller's context,
// or Unavailable for anything that is the plugin's fault.
func call[Q, A any](ctx context.Context, w *worker, method func(pb.FilterPluginClient, context.Context, Q) (A, error), request Q) (A, error) {
	var none A
	w.mu.Lock()
	proc, state := w.running, w.status
	w.mu.Unlock()
	if proc == nil {
		return none, w.unavailable(fmt.Errorf("the plugin is %s", state))
	}
	limited, cancel := context.WithTimeout(ctx, w.options.CallTimeout)
	defer cancel()
	answer, err := method(proc.filter, limited, request)
	if ctx.Err() != nil {
		return none, ctx.Err()
	}
	w.note(status.Code(err) == codes.DeadlineExceeded)
	if err != nil {
		return none, w.unavailable(err)
	}
	return answer, nil
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

// unavailable is the error of a filter whose plugin cannot answer.
func (w *worker) unavailable(cause error) error {
	w.mu.Lock()
	name := w.name
	w.mu.Unlock()
	err := model.Errorf(model.Unavailable, "the plugin %s cannot answer at the moment; try again", name)
	err.Cause = cause
	return err
}

// generation is the number of the newest start, whose answers stand while the
// plugin is down.
func (w *worker) generation() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.last
}

func (w *worker) snapshot() Plugin {
	w.mu.Lock()
	defer w.mu.Unlock()
	return Plugin{
		Name: w.name, Version: w.described.GetVersion(), Builtin: w.program.builtin, Status: w.status,
		Types: w.types, Restarts: max(0, w.starts-1), Reason: w.reason,
	}
}
