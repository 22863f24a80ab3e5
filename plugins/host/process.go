package host

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"time"

	"github.com/hashicorp/go-plugin"
	"google.golang.org/grpc"
	"google.golang.org/grpc/connectivity"

	"github.com/goalgraph/goalgraph/plugins"
	"github.com/goalgraph/goalgraph/plugins/pb"
)

// process is one start of a plugin.
type process struct {
	client *plugin.Client
	conn   *grpc.ClientConn
	filter pb.FilterPluginClient
	// sockets is the folder of the process's socket.
	sockets string
	// pid is the process's, for the log.
	pid string
	// generation counts the plugin's starts from 1.
	generation int
}

// program is how a plugin is started.
type program struct {
	path string
	args []string
	// builtin plugins are ours, so they are known to speak mutual TLS. Others may
	// not, and one that does not would fail no earlier than at its first call.
	builtin bool
}

// maxMessage bounds an answer.
const maxMessage = 8 << 20

// start starts the program and waits until it answers. The error holds what the
// program wrote to its standard error.
func start(ctx context.Context, p program, sockets string, o Options) (*process, error) {
	// A folder for each start; the library makes none for programs that it starts
	// itself, and the plugin's own guess would outlive a plugin that is killed.
	sockets, err := os.MkdirTemp(sockets, "")
	if err != nil {
		return nil, fmt.Errorf("making a folder for the plugin's socket: %w", err)
	}
	command := exec.Command(p.path, p.args...)
	command.Env = []string{plugin.EnvUnixSocketDir + "=" + sockets}
	var stderr tail
	client := plugin.NewClient(&plugin.ClientConfig{
		HandshakeConfig:  plugins.Handshake(),
		Plugins:          plugin.PluginSet{plugins.Service: dialled{}},
		Cmd:              command,
		AllowedProtocols: []plugin.Protocol{plugin.ProtocolGRPC},
		AutoMTLS:         p.builtin,
		SkipHostEnv:      true,
		StartTimeout:     o.StartTimeout,
		Stderr:           &stderr,
		Logger:           logger(o.Logger.With("file", p.path)),
		GRPCDialOptions: []grpc.DialOption{
			// An idle connection would look like a lost one.
			grpc.WithIdleTimeout(0),
			grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(maxMessage)),
		},
	})
	// Start cannot be cancelled, but ends when the process does.
	done := make(chan struct{})
	defer close(done)
	go func() {
		select {
		case <-ctx.Done():
			client.Kill()
		case <-done:
		}
	}()
	proc, err := dial(client)
	if err != nil {
		client.Kill()
		os.RemoveAll(sockets)
		if said := stderr.String(); said != "" {
			err = fmt.Errorf("%w; it wrote: %s", err, said)
		}
		return nil, err
	}
	proc.sockets = sockets
	return proc, nil
}

// end ends the process, by force where it does not end by itself.
func (p *process) end() {
	p.client.Kill()
	os.RemoveAll(p.sockets)
}

func dial(client *plugin.Client) (*process, error) {
	protocol, err := client.Client()
	if err != nil {
		return nil, fmt.Errorf("the plugin did not start: %w", err)
	}
	raw, err := protocol.Dispense(plugins.Service)
	if err != nil {
		return nil, fmt.Errorf("the plugin did not start: %w", err)
	}
	if err := protocol.Ping(); err != nil {
		return nil, fmt.Errorf("the plugin does not answer: %w", err)
	}
	conn := raw.(*grpc.ClientConn)
	return &process{client: client, conn: conn, filter: pb.NewFilterPluginClient(conn), pid: client.ID()}, nil
}

// gone waits until the connection to the process is lost, which is how its death
// shows first, or until ctx ends.
func (p *process) gone(ctx context.Context) {
	for state := p.conn.GetState(); state == connectivity.Ready && p.conn.WaitForStateChange(ctx, state); {
		state = p.conn.GetState()
	}
}

// dialled is the host's side of go-plugin.
type dialled struct{ plugin.NetRPCUnsupportedPlugin }

func (dialled) GRPCServer(*plugin.GRPCBroker, *grpc.Server) error {
	return errors.New("the host does not serve filters")
}

func (dialled) GRPCClient(_ context.Context, _ *plugin.GRPCBroker, conn *grpc.ClientConn) (any, error) {
	return conn, nil
}

// pause is how long to wait before the next start.
type pause struct {
	first, last, next time.Duration
}

// after returns the pause after a process that lived that long.
func (p *pause) after(lived time.Duration) time.Duration {
	if p.next == 0 || lived >= p.last {
		p.next = p.first
	}
	now := p.next
	p.next = min(2*p.next, p.last)
	return now
}
