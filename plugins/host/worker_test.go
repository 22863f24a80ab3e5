package host

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/goalgraph/goalgraph/model"
)

// eventually polls until done, for at most 20 s.
func eventually(t *testing.T, what string, done func() bool) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	for !done() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatalf("in vain waited until %s", what)
		}
	}
}

// alive tells whether the process runs; one that only waits to be reaped does not.
func alive(pid int) bool {
	if syscall.Kill(pid, 0) != nil {
		return false
	}
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	return err != nil || !strings.Contains(string(stat), ") Z ")
}

func pidOf(t *testing.T, w *worker) int {
	t.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.running == nil {
		return 0
	}
	return w.running.PID
}

func TestPluginsThatFailAreListedAndNothingElseFails(t *testing.T) {
	dir := folder(t, "odd", "odd-again", "thief", "unprefixed", "unparsed", "schema", "quitter")
	for name, file := range map[string]struct {
		text string
		mode os.FileMode
	}{
		"script":     {"#!/bin/sh\necho not today >&2\nexit 1\n", 0o755},
		"noplugin":   {"#!/bin/sh\necho hello\n", 0o755},
		"binary":     {"\x00\x01\x02 rubbish", 0o755},
		"README.txt": {"not executable", 0o644},
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(file.text), file.mode); err != nil {
			t.Fatal(err)
		}
	}
	log := new(logged)
	h := newHost(t, Options{
		Folder: dir, Logger: slog.New(slog.NewTextHandler(log, nil)), Taken: func(name string) bool { return name == "Site" },
	})
	got := map[string]string{}
	for i, p := range h.Plugins() {
		if (i == 0) != p.Builtin || (p.Status == Running) == (len(p.Types) == 0) {
			t.Errorf("plugin %d: %+v", i, p)
		}
		got[p.Name] += string(p.Status) + " " + p.Reason + "\n"
	}
	for name, want := range map[string]string{
		"builtin": "RUNNING ", "odd": "RUNNING ", "odd-again": "there is already a plugin named odd",
		"thief":      "filter type country already belongs to the plugin builtin",
		"unprefixed": "its name must begin with Mine", "unparsed": "SDL", "schema": "the name Site in its SDL is already used by the schema",
		"quitter": "the licence has run out", "script": "not today",
		"noplugin": "FAILED the plugin did not start", "binary": "FAILED the plugin did not start",
	} {
		if !strings.Contains(got[name], want) {
			t.Errorf("%s: %q, want %q", name, got[name], want)
		}
		if reason := strings.TrimPrefix(strings.TrimPrefix(want, "RUNNING "), "FAILED "); !strings.Contains(log.String(), reason) {
			t.Errorf("%s: the log does not say %q:\n%s", name, reason, log)
		}
	}
	if len(got) != 11 {
		t.Errorf("plugins %v", got)
	}
	if _, err := h.Compile(t.Context(), spec("odd", `{"do":"nothing"}`)); err != nil {
		t.Error(err)
	}
}

func TestMissingFolder(t *testing.T) {
	h := newHost(t, Options{Folder: filepath.Join(t.TempDir(), "none")})
	if len(h.Plugins()) != 1 || !h.onlyBuiltin() {
		t.Errorf("%d plugins, %d types", len(h.Plugins()), len(h.Types()))
	}
}

func TestBadAnswersHarmNobodyElse(t *testing.T) {
	h := newHost(t, Options{Folder: folder(t, "odd")})
	for _, do := range []string{"hang", "panic", "fail", "nonsense"} {
		_, err := h.Compile(t.Context(), spec("odd", `{"do":"`+do+`"}`))
		if model.CodeOf(err) != model.Unavailable || !strings.Contains(err.Error(), "odd") {
			t.Errorf("%s: %v", do, err)
		}
	}
	compiled, err := h.Compile(t.Context(), spec("odd", `{"do":"long"}`))
	if err != nil || len([]rune(compiled.Label)) != maxLabel || strings.Contains(compiled.Label, "\n") {
		t.Errorf("label of %d characters: %v", len([]rune(compiled.Label)), err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := h.Compile(ctx, spec("odd", `{"do":"nothing"}`)); err != context.Canceled {
		t.Errorf("cancelled: %v", err)
	}
	if p := h.Plugins()[1]; p.Status != Running || p.Restarts != 0 {
		t.Errorf("%+v", p)
	}
}

func TestPluginThatHangsIsStartedAgain(t *testing.T) {
	h := newHost(t, Options{Folder: folder(t, "odd"), CallTimeout: 20 * time.Millisecond, FirstPause: time.Millisecond})
	eventually(t, "it was started again", func() bool {
		h.Compile(t.Context(), spec("odd", `{"do":"hang"}`))
		return h.Plugins()[1].Restarts > 0
	})
}

// Of a caller that does not wait as long as a plugin may take, the plugin is not to blame,
// whoever notices the deadline first.
func TestCallersDeadline(t *testing.T) {
	h := newHost(t, Options{Folder: folder(t, "odd"), CallTimeout: 20 * time.Second, FirstPause: time.Millisecond})
	for n := range 100 {
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Millisecond)
		if _, err := h.Compile(ctx, spec("odd", fmt.Sprintf(`{"do":"hang","n":%d}`, n))); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("call %d: %v", n, err)
		}
		cancel()
	}
	if p := h.Plugins()[1]; p.Status != Running || p.Restarts != 0 {
		t.Errorf("%+v", p)
	}
}

func TestNoEnvironmentIsInherited(t *testing.T) {
	t.Setenv("GOALGRAPH_DATABASE_PASSWORD", "s3cret")
	h := newHost(t, Options{Folder: folder(t, "odd")})
	compiled, err := h.Compile(t.Context(), spec("odd", `{"do":"environment"}`))
	if err != nil || !strings.Contains(compiled.Label, "GOALGRAPH_PLUGIN=") {
		t.Fatalf("%q, %v", compiled.Label, err)
	}
	if strings.Contains(compiled.Label, "s3cret") || strings.Contains(compiled.Label, "PATH=") {
		t.Errorf("the plugin has %q", compiled.Label)
	}
}

func TestKilledPluginIsUnavailableAndComesBack(t *testing.T) {
	// Long enough to be seen by a test that has to wait for its turn.
	h := newHost(t, Options{FirstPause: 2 * time.Second})
	w := h.builtin
	known := spec("tags", `{"all":["known"]}`)
	if _, err := h.Compile(t.Context(), known); err != nil {
		t.Fatal(err)
	}
	old := pidOf(t, w)
	if err := syscall.Kill(old, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	n := 0
	ask := func() error {
		n++ // never asked before, so not remembered
		_, err := h.Compile(t.Context(), spec("tags", fmt.Sprintf(`{"all":["%d"]}`, n)))
		return err
	}
	eventually(t, "a call failed", func() bool {
		err := ask()
		if err != nil && (model.CodeOf(err) != model.Unavailable || !strings.Contains(err.Error(), "builtin")) {
			t.Fatal(err)
		}
		return err != nil
	})
	eventually(t, "it says that it restarts", func() bool {
		p := h.Plugins()[0]
		return p.Status == Restarting && p.Reason != ""
	})
	if _, err := h.Compile(t.Context(), known); err != nil {
		t.Errorf("what is known needs no plugin: %v", err)
	}
	eventually(t, "calls succeed again", func() bool { return ask() == nil })
	if p := h.Plugins()[0]; p.Status != Running || p.Restarts != 1 || p.Reason != "" || pidOf(t, w) == old {
		t.Errorf("%+v", p)
	}
}

func TestCloseEndsPluginsAndRemovesSockets(t *testing.T) {
	h := newHost(t, Options{Folder: folder(t, "odd")})
	var pids []int
	for _, w := range h.Acquire().workers {
		pids = append(pids, pidOf(t, w))
	}
	for range 2 {
		if err := h.Close(); err != nil {
			t.Fatal(err)
		}
	}
	for _, pid := range pids {
		if alive(pid) {
			t.Errorf("plugin %d lives on", pid)
		}
	}
	if _, err := os.Stat(h.scratch.path); !os.IsNotExist(err) {
		t.Errorf("sockets: %v", err)
	}
	if _, err := h.Compile(t.Context(), spec("tags", `{"all":["a"]}`)); model.CodeOf(err) != model.Unavailable {
		t.Errorf("after Close: %v", err)
	}
}

func TestPluginEndsWithAHostThatIsKilled(t *testing.T) {
	host := exec.Command(filepath.Join(folder(t, "lonely-host"), "lonely-host"))
	// The test's own is too long for a socket's path.
	temp, err := os.MkdirTemp("", "gg")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(temp)
	host.Env = append(os.Environ(), "TMPDIR="+temp)
	stdin, err := host.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	defer stdin.Close()
	stdout, err := host.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := host.Start(); err != nil {
		t.Fatal(err)
	}
	defer host.Process.Kill()
	line, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(line))
	if err != nil || !alive(pid) {
		t.Fatalf("plugin %q: %v", line, err)
	}
	if err := host.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the plugin ended", func() bool { return !alive(pid) })
	host.Wait()
	// What it left behind, the next one removes.
	left, err := filepath.Glob(filepath.Join(temp, scratchName+"*"))
	if err != nil || len(left) != 1 {
		t.Fatalf("left behind: %v, %v", left, err)
	}
	if err := os.Chtimes(filepath.Join(left[0], lockName), time.Time{}, time.Now().Add(-time.Minute)); err != nil {
		t.Fatal(err)
	}
	t.Setenv("TMPDIR", temp)
	next := newHost(t, Options{})
	if left, err := filepath.Glob(filepath.Join(temp, scratchName+"*")); err != nil || len(left) != 1 || left[0] != next.scratch.path {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

func TestPluginRunByHandSaysWhatItIs(t *testing.T) {
	out, err := exec.Command(filepath.Join(folder(t, "odd"), "odd")).CombinedOutput()
	if err == nil || !strings.Contains(string(out), "odd 1.0.0 is a plugin of Goalgraph, with the filter types odd.") {
		t.Errorf("%v: %s", err, out)
	}
}

func TestSocketsOfALongFolder(t *testing.T) {
	t.Setenv("TMPDIR", filepath.Join(t.TempDir(), strings.Repeat("long/", 20)))
	h := newHost(t, Options{})
	if !strings.HasPrefix(h.scratch.path, "/tmp/"+scratchName) {
		t.Errorf("sockets in %s", h.scratch.path)
	}
}

func TestPausesGrow(t *testing.T) {
	p := pause{first: time.Second, last: 5 * time.Second}
	for i, want := range []time.Duration{1, 2, 4, 5, 5} {
		if got := p.after(0); got != want*time.Second {
			t.Errorf("pause %d is %s", i, got)
		}
	}
	if got := p.after(time.Minute); got != time.Second {
		t.Errorf("after a long life %s", got)
	}
}
