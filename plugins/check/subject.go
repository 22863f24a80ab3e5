package check

import (
	"context"
	"os"
	"runtime/debug"

	"github.com/hashicorp/go-hclog"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/goalgraph/goalgraph/plugins"
	"github.com/goalgraph/goalgraph/plugins/pb"
	"github.com/goalgraph/goalgraph/plugins/process"
)

// Subject is a plugin that can be started: InProcess or Executable.
type Subject struct {
	start func(ctx context.Context) (client, error)
	// path and args are those of an executable, empty in the process.
	path string
	args []string
}

// client is a plugin that runs.
type client interface {
	Describe(context.Context, *pb.DescribeRequest) (*pb.DescribeResponse, error)
	Compile(context.Context, *pb.CompileRequest) (*pb.CompileResponse, error)
	Merge(context.Context, *pb.MergeRequest) (*pb.MergeResponse, error)
	// stop ends it.
	stop()
}

// InProcess returns the plugin that server is, in the process that checks it, where
// a debugger stops in it. It cannot be started again, and what a process does of
// itself (start, end) is not looked at.
func InProcess(server pb.FilterPluginServer) Subject {
	return Subject{start: func(context.Context) (client, error) { return inProcess{server}, nil }}
}

// Executable returns the plugin that the file is. The arguments are for tests; a
// server gives none.
func Executable(path string, args ...string) Subject {
	return Subject{path: path, args: args, start: func(ctx context.Context) (client, error) { return startExecutable(ctx, path, args) }}
}

type inProcess struct{ server pb.FilterPluginServer }

func (p inProcess) Describe(ctx context.Context, q *pb.DescribeRequest) (*pb.DescribeResponse, error) {
	return within(ctx, q, p.server.Describe)
}

func (p inProcess) Compile(ctx context.Context, q *pb.CompileRequest) (*pb.CompileResponse, error) {
	return within(ctx, q, p.server.Compile)
}

func (p inProcess) Merge(ctx context.Context, q *pb.MergeRequest) (*pb.MergeResponse, error) {
	return within(ctx, q, p.server.Merge)
}

func (inProcess) stop() {}

// within calls method as a server of gRPC does: a panic is an error, and the
// caller waits no longer than ctx.
func within[Q, A any](ctx context.Context, q Q, method func(context.Context, Q) (A, error)) (A, error) {
	type outcome struct {
		answer A
		err    error
	}
	done := make(chan outcome, 1)
	go func() {
		var o outcome
		defer func() {
			if p := recover(); p != nil {
				o.err = status.Errorf(codes.Internal, "panic: %v\n%s", p, debug.Stack())
			}
			done <- o
		}()
		o.answer, o.err = method(ctx, q)
	}()
	select {
	case o := <-done:
		return o.answer, o.err
	case <-ctx.Done():
		var none A
		return none, status.FromContextError(ctx.Err()).Err()
	}
}

// executable is a process of it.
type executable struct {
	*process.Process
	starter *process.Starter
	sockets string
}

func (e executable) Describe(ctx context.Context, q *pb.DescribeRequest) (*pb.DescribeResponse, error) {
	return e.Process.Describe(ctx, q)
}

func (e executable) Compile(ctx context.Context, q *pb.CompileRequest) (*pb.CompileResponse, error) {
	return e.Process.Compile(ctx, q)
}

func (e executable) Merge(ctx context.Context, q *pb.MergeRequest) (*pb.MergeResponse, error) {
	return e.Process.Merge(ctx, q)
}

func (e executable) stop() {
	e.Kill()
	e.starter.Close()
	os.RemoveAll(e.sockets)
}

// startExecutable starts it as a server does.
func startExecutable(ctx context.Context, path string, args []string) (client, error) {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	sockets, err := os.MkdirTemp("", plugins.SocketFolder)
	if err != nil {
		return nil, err
	}
	e := executable{starter: process.NewStarter(), sockets: sockets}
	e.Process, err = e.starter.Start(ctx, process.Program{Path: path, Args: args, Sockets: sockets, Logger: hclog.NewNullLogger()})
	if err != nil {
		e.starter.Close()
		os.RemoveAll(sockets)
		return nil, err
	}
	return e, nil
}
