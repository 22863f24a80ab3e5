//go:build system

// The tests of this folder are system tests: they build the program and run it as users do, some with plugins, npm
// packages, HAProxy or Chromium. That takes minutes, so they have the tag system, and a plain go test ./... leaves them
// out. make test-system runs them, and make test runs them with all others.
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/goalgraph/goalgraph/plugins"
	"github.com/goalgraph/goalgraph/server/ingest"
)

// limit is how long the tests wait for anything, on a loaded machine.
const limit = 2 * time.Minute

var (
	// binary is the program, built once for all tests, which run it as a user does.
	binary string
	// checked is the one that serves: where the tests look for races, it does, too.
	// Imports would take minutes so; their packages' own tests look there.
	checked   string
	raceFlags []string // by race_test.go
)

func TestMain(m *testing.M) {
	if attack := os.Getenv(attackVariable); attack != "" {
		os.Exit(runAttacker(attack))
	}
	if os.Getenv(pluginVariable) != "" {
		plugins.Serve("visitshape", "1.0.0", plugins.Of(visitShape{}))
		return
	}
	flag.Parse()
	os.Exit(runTests(m))
}

func runTests(m *testing.M) int {
	folder, err := os.MkdirTemp("", "goalgraph-test-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(folder)
	binary = filepath.Join(folder, "goalgraph")
	checked = binary
	builds := [][]string{{"build", "-o", binary}}
	if len(raceFlags) > 0 {
		checked += "-race"
		builds = append(builds, append([]string{"build", "-o", checked}, raceFlags...))
	}
	for _, args := range builds {
		build := exec.Command("go", append(args, ".")...)
		if out, err := build.CombinedOutput(); err != nil {
			fmt.Fprintf(os.Stderr, "%v: %v\n%s", build, err, out)
			return 1
		}
	}
	return m.Run()
}

// output takes what a process writes, while others look at it.
type output struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

// process is a run of the program.
type process struct {
	*exec.Cmd
	stdout, stderr output
	// ended is closed when it has, and Wait has returned err.
	ended chan struct{}
	err   error
}

// program prepares a run in a folder of its own, with nothing of the tests'
// environment but what every program needs.
func program(tb testing.TB, args ...string) *process {
	tb.Helper()
	p := &process{Cmd: exec.Command(binary, args...), ended: make(chan struct{})}
	p.Dir = tb.TempDir()
	p.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + p.Dir, "TMPDIR=" + os.TempDir()}
	p.Stdout, p.Stderr = &p.stdout, &p.stderr
	return p
}

func (p *process) mustStart(tb testing.TB) *process {
	tb.Helper()
	if err := p.Start(); err != nil {
		tb.Fatal(err)
	}
	go func() {
		defer close(p.ended)
		p.err = p.Wait()
	}()
	tb.Cleanup(func() {
		p.Process.Kill()
		<-p.ended
	})
	return p
}

// result waits for the end and returns the exit code, -1 after a signal.
func (p *process) result(tb testing.TB) int {
	tb.Helper()
	select {
	case <-p.ended:
	case <-time.After(limit):
		tb.Fatalf("%v still runs after %v; it wrote:\n%s", p.Args, limit, &p.stderr)
	}
	if _, isExit := errors.AsType[*exec.ExitError](p.err); p.err != nil && !isExit {
		tb.Fatal(p.err)
	}
	return p.ProcessState.ExitCode()
}

// mustRun runs the program to its end and fails the test on another exit code.
func (p *process) mustRun(tb testing.TB, want int) *process {
	tb.Helper()
	if code := p.mustStart(tb).result(tb); code != want {
		tb.Fatalf("%s: exit code %d, want %d\nstdout: %s\nstderr: %s", strings.Join(p.Args[1:], " "), code, want, &p.stdout, &p.stderr)
	}
	return p
}

// mustImport imports and returns the closing line, which is all of standard output.
func mustImport(tb testing.TB, database string, args ...string) ingest.Summary {
	tb.Helper()
	p := program(tb, append([]string{"--database", database, "import"}, args...)...).mustRun(tb, done)
	return summaryOf(tb, p)
}

func summaryOf(tb testing.TB, p *process) (summary ingest.Summary) {
	tb.Helper()
	decoder := json.NewDecoder(strings.NewReader(p.stdout.String()))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&summary); err != nil || decoder.More() {
		tb.Fatalf("standard output is no summary: %v\n%s", err, &p.stdout)
	}
	return summary
}

// await polls until the condition holds.
func await(tb testing.TB, what string, holds func() bool) {
	tb.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for !holds() {
		select {
		case <-ctx.Done():
			tb.Fatalf("still not after %v: %s", limit, what)
		case <-tick.C:
		}
	}
}

func mustWriteFile(tb testing.TB, name, content string) string {
	tb.Helper()
	file := filepath.Join(tb.TempDir(), name)
	if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
		tb.Fatal(err)
	}
	return file
}
