package process

import (
	"context"
	"errors"
	"io"
	"os/exec"
	"strconv"
	"sync"
	"syscall"
	"time"

	"github.com/hashicorp/go-plugin/runner"
)

// group is a process with its own process group, which is killed as a whole.
type group struct {
	command        *exec.Cmd
	starter        *Starter
	stdout, stderr io.ReadCloser

	mu sync.Mutex
	// killed groups are not started. ended groups have no process any more, and their
	// number may belong to another one.
	killed, ended bool
}

var errKilled = errors.New("it was stopped before it had started")

var _ runner.Runner = (*group)(nil)

func newGroup(command *exec.Cmd, starter *Starter) (*group, error) {
	command.SysProcAttr = groupAttributes()
	stdout, err := command.StdoutPipe()
	if err != nil {
		return nil, err
	}
	stderr, err := command.StderrPipe()
	if err != nil {
		return nil, err
	}
	return &group{
		command: command, starter: starter,
		stdout: &firstLine{throttled{ReadCloser: stdout}, 0, false}, stderr: &throttled{ReadCloser: stderr},
	}, nil
}

// Start starts the process.
func (g *group) Start(context.Context) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.killed {
		return errKilled
	}
	return g.starter.run(g.command)
}

// Wait waits until the process has ended, and kills whatever it has left behind.
func (g *group) Wait(context.Context) error {
	err := g.command.Wait()
	g.kill()
	g.mu.Lock()
	defer g.mu.Unlock()
	g.ended = true
	return err
}

// Kill is kill.
func (g *group) Kill(context.Context) error {
	g.kill()
	return nil
}

// kill kills all processes of the group and closes their output, which a process
// outside the group may still hold open. It is safe for concurrent use and may be
// called more than once.
func (g *group) kill() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.killed = true
	if g.command.Process == nil || g.ended {
		return
	}
	time.AfterFunc(lastWords, func() {
		g.stdout.Close()
		g.stderr.Close()
	})
	// The group may have ended already. If not, it is ours.
	syscall.Kill(-g.command.Process.Pid, syscall.SIGKILL)
}

// lastWords is how long the output of a killed process is still read.
const lastWords = time.Second

// Stdout is the line of the handshake.
func (g *group) Stdout() io.ReadCloser { return g.stdout }

// Stderr is what the plugin logs.
func (g *group) Stderr() io.ReadCloser { return g.stderr }

// Name is the program.
func (g *group) Name() string { return g.command.Path }

// ID is the process's.
func (g *group) ID() string {
	if g.command.Process == nil {
		return ""
	}
	return strconv.Itoa(g.command.Process.Pid)
}

// Diagnose explains a first line that is not a handshake.
func (g *group) Diagnose(context.Context) string {
	return "the first line of a plugin's standard output is the handshake, such as 1|1|unix|/path/of/the/socket|grpc"
}

// PluginToHost returns the address as it is.
func (g *group) PluginToHost(network, address string) (string, string, error) {
	return network, address, nil
}

// HostToPlugin returns the address as it is.
func (g *group) HostToPlugin(network, address string) (string, string, error) {
	return network, address, nil
}
