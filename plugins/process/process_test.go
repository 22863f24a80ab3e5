package process

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/goalgraph/goalgraph/model/filter"
	"github.com/goalgraph/goalgraph/plugins"
	"github.com/goalgraph/goalgraph/plugins/pb"
)

// TestMain makes of the test's program what its argument says.
func TestMain(m *testing.M) {
	if len(os.Args) == 2 {
		switch os.Args[1] {
		case "speaks-tls":
			plugins.Serve("speaksTLS", "1.0.0", plugins.Of(small{}))
		case "speaks-none":
			os.Unsetenv("PLUGIN_CLIENT_CERT")
			plugins.Serve("speaksNone", "1.0.0", plugins.Of(small{}))
		case "parent":
			parent()
		}
	}
	os.Exit(m.Run())
}

// small is the least that a plugin can be.
type small struct{}

func (small) Describe() plugins.Description {
	return plugins.Description{Name: "small", Title: "Small", Rule: plugins.Last, SDL: "input SmallFilter { n: Int }", Input: "SmallFilter"}
}

func (small) Compile(context.Context, struct{ N int }) (filter.Expr, error) {
	return filter.Bool(true), nil
}

// parent starts a process that looks after nothing, and waits to be killed.
func parent() {
	g, err := newGroup(exec.Command("/bin/sleep", "1000"), NewStarter())
	if err == nil {
		err = g.Start(context.Background())
	}
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	fmt.Println(g.ID())
	io.Copy(io.Discard, os.Stdin)
	os.Exit(0)
}

func self(tb testing.TB) string {
	tb.Helper()
	path, err := os.Executable()
	if err != nil {
		tb.Fatal(err)
	}
	return path
}

// What a program has started is not left behind where that is killed by force, even if
// it does not look at its parent.
func TestNothingOutlivesItsParent(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("only Linux ends a process with its parent")
	}
	parent := exec.Command(self(t), "parent")
	stdin, err := parent.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	defer stdin.Close()
	stdout, err := parent.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := parent.Start(); err != nil {
		t.Fatal(err)
	}
	defer parent.Process.Kill()
	line, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	child, err := strconv.Atoi(strings.TrimSpace(line))
	if err != nil {
		t.Fatal(err)
	}
	alive := func() bool {
		stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", child))
		return err == nil && !strings.Contains(string(stat), ") Z ")
	}
	if !alive() {
		t.Fatalf("there is no process %d", child)
	}
	if err := parent.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	parent.Wait()
	deadline := time.After(20 * time.Second)
	for alive() {
		select {
		case <-deadline:
			syscall.Kill(child, syscall.SIGKILL)
			t.Fatal("the process lives on")
		case <-time.After(5 * time.Millisecond):
		}
	}
}

func TestGroupThatIsKilledBeforeItStarts(t *testing.T) {
	s := NewStarter()
	defer s.Close()
	g, err := newGroup(exec.Command("/bin/sleep", "1000"), s)
	if err != nil {
		t.Fatal(err)
	}
	g.kill()
	if err := g.Start(t.Context()); !errors.Is(err, errKilled) {
		t.Errorf("%v", err)
	}
}

// A start of a context that is over leaves nothing running.
func TestStartThatIsCancelled(t *testing.T) {
	s := NewStarter()
	defer s.Close()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.Start(ctx, Program{Path: "/bin/sleep", Args: []string{"1000"}, Sockets: t.TempDir(), Logger: hclog.NewNullLogger()}); err == nil {
		t.Error("it started")
	}
}

// BenchmarkStart is a plugin's start, until it has described itself, and its end.
func BenchmarkStart(b *testing.B) {
	for _, plugin := range []string{"speaks-tls", "speaks-none"} {
		b.Run(plugin, func(b *testing.B) {
			s := NewStarter()
			defer s.Close()
			for b.Loop() {
				p := mustStart(b, s, plugin)
				b.StopTimer()
				p.Kill()
				b.StartTimer()
			}
		})
	}
}

// BenchmarkCall is a call of a plugin that runs.
func BenchmarkCall(b *testing.B) {
	for _, plugin := range []string{"speaks-tls", "speaks-none"} {
		b.Run(plugin, func(b *testing.B) {
			s := NewStarter()
			defer s.Close()
			p := mustStart(b, s, plugin)
			defer p.Kill()
			for b.Loop() {
				if _, err := p.Compile(b.Context(), &pb.CompileRequest{Type: "small", Args: `{"n":1}`}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func mustStart(b *testing.B, s *Starter, plugin string) *Process {
	b.Helper()
	sockets, err := os.MkdirTemp("", plugins.SocketFolder) // the benchmark's own is too long for a socket's path
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { os.RemoveAll(sockets) })
	p, err := s.Start(b.Context(), Program{Path: self(b), Args: []string{plugin}, Sockets: sockets, Logger: hclog.NewNullLogger()})
	if err != nil {
		b.Fatal(err)
	}
	if _, err := p.Describe(b.Context(), &pb.DescribeRequest{}); err != nil {
		b.Fatal(err)
	}
	return p
}
