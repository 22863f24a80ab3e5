// Package process starts a plugin's program and stops it, in bounded time, whatever
// the program does, together with everything it has started.
//
// Each process has a process group of its own and no environment but the protocol's.
// At most 1 MiB of its output is read per second. If the process announces a
// certificate, as plugins.Serve does, the connection uses mutual TLS with keys made
// for this start. Otherwise the connection is in plain text, over a socket in a
// folder that only the server's user can enter.
package process

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os/exec"
	"strings"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/go-plugin"
	"github.com/hashicorp/go-plugin/runner"
	"google.golang.org/grpc"
	"google.golang.org/grpc/connectivity"

	"github.com/goalgraph/goalgraph/plugins"
	"github.com/goalgraph/goalgraph/plugins/pb"
)

// Program says how to start a plugin.
type Program struct {
	Path string
	Args []string
	// Sockets is the folder for its socket.
	Sockets string
	// Logger receives its standard error.
	Logger hclog.Logger
}

// Process is one start of a plugin.
type Process struct {
	pb.FilterPluginClient
	// PID is the process id.
	PID int

	client *plugin.Client
	group  *group
	conn   *grpc.ClientConn
}

// maxAnswer bounds an answer, in bytes.
const maxAnswer = 8 << 20

// Start starts the program and waits until it answers, or ctx ends. The process
// outlives ctx. The error includes the program's standard error.
func (s *Starter) Start(ctx context.Context, p Program) (*Process, error) {
	group, err := newGroup(exec.Command(p.Path, p.Args...), s)
	if err != nil {
		return nil, fmt.Errorf("making the pipes of a plugin: %w", err)
	}
	var stderr tail
	config := &plugin.ClientConfig{
		HandshakeConfig:  plugins.Handshake(),
		Plugins:          plugin.PluginSet{plugins.Service: dialled{}},
		AllowedProtocols: []plugin.Protocol{plugin.ProtocolGRPC},
		AutoMTLS:         true,
		SkipHostEnv:      true,
		StartTimeout:     time.Hour, // ctx ends before
		UnixSocketConfig: &plugin.UnixSocketConfig{TempDir: p.Sockets},
		RunnerFunc: func(_ hclog.Logger, spec *exec.Cmd, _ string) (runner.Runner, error) {
			group.command.Env = spec.Env
			return group, nil
		},
		Stderr:              &stderr,
		PluginLogBufferSize: longestLine,
		Logger:              p.Logger,
		GRPCDialOptions: []grpc.DialOption{
			// An idle connection would look like a lost one.
			grpc.WithIdleTimeout(0),
			grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(maxAnswer)),
		},
	}
	client := plugin.NewClient(config)
	// The library waits for some answers without a deadline, but not for those of a
	// process that is gone.
	stop := context.AfterFunc(ctx, group.kill)
	conn, err := dial(client, config)
	if !stop() && err == nil {
		err = ctx.Err()
	}
	if err != nil {
		group.kill()
		client.Kill()
		if errors.Is(ctx.Err(), context.DeadlineExceeded) {
			err = errors.New("it was not ready in time")
		}
		if said := stderr.String(); said != "" {
			err = fmt.Errorf("%w; it wrote: %s", err, said)
		}
		return nil, err
	}
	return &Process{pb.NewFilterPluginClient(conn), group.command.Process.Pid, client, group, conn}, nil
}

// dial starts the process and returns a connection that works.
func dial(client *plugin.Client, config *plugin.ClientConfig) (*grpc.ClientConn, error) {
	if _, err := client.Start(); err != nil {
		if failed, ok := errors.AsType[*fs.PathError](err); ok {
			return nil, failed.Err // its path is that of a copy
		}
		// What follows are the library's guesses.
		text, _, _ := strings.Cut(err.Error(), "This usually means")
		return nil, errors.New(strings.TrimSpace(text))
	}
	if config.TLSConfig.RootCAs == nil { // no certificate was announced
		config.TLSConfig = nil
	}
	protocol, err := client.Client()
	if err != nil {
		return nil, err
	}
	raw, err := protocol.Dispense(plugins.Service)
	if err != nil {
		return nil, err
	}
	if err := protocol.Ping(); err != nil {
		return nil, fmt.Errorf("its health service does not answer: %w", err)
	}
	return raw.(*grpc.ClientConn), nil
}

// Gone waits until the connection to the process is lost, which is the first sign of
// its death, or until ctx ends.
func (p *Process) Gone(ctx context.Context) {
	for state := p.conn.GetState(); state == connectivity.Ready && p.conn.WaitForStateChange(ctx, state); {
		state = p.conn.GetState()
	}
}

// grace is how long a process may take to exit when asked to.
const grace = time.Second

// End asks the process to exit, and kills it after a second.
func (p *Process) End() {
	force := time.AfterFunc(grace, p.group.kill)
	defer force.Stop()
	p.client.Kill() // which waits for the answer without a deadline
}

// Kill kills the process at once.
func (p *Process) Kill() {
	p.group.kill()
	p.client.Kill()
}

// dialled is the host's side of go-plugin.
type dialled struct{ plugin.NetRPCUnsupportedPlugin }

func (dialled) GRPCServer(*plugin.GRPCBroker, *grpc.Server) error {
	return errors.New("the host does not serve filters")
}

func (dialled) GRPCClient(_ context.Context, _ *plugin.GRPCBroker, conn *grpc.ClientConn) (any, error) {
	return conn, nil
}
