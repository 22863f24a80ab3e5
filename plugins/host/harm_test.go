package host

import (
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/goalgraph/goalgraph/model"
	"github.com/goalgraph/goalgraph/plugins/pb"
)

// logged is a log that tests read.
type logged struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *logged) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *logged) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// Whatever a plugin does when it starts, it is listed with the reason, and the
// others serve.
func TestBadStarts(t *testing.T) {
	began := time.Now()
	const limit = 5 * time.Second // in which those that are right start on a loaded machine, too
	h := newHost(t, Options{Folder: folder(t, "odd", "slow", "mute", "future", "babbler"), StartTimeout: limit, LastPause: time.Hour, FirstPause: time.Hour})
	if took := time.Since(began); took > 4*limit {
		t.Errorf("the host took %s to start", took)
	}
	for name, reason := range map[string]string{
		"slow": "it was not ready in time", "mute": "it was not ready in time", "future": "ncompatible API version", "babbler": "message: xxx",
	} {
		if p := h.plugin(name); p.Status != Failed || !strings.Contains(p.Reason, reason) || len(p.Reason) > 8000 {
			t.Errorf("%s: %s %.500s", name, p.Status, p.Reason)
		}
	}
	if _, err := h.Compile(t.Context(), spec("odd", `{"do":"nothing"}`)); err != nil {
		t.Error(err)
	}
}

func TestPluginThatDiesOnACall(t *testing.T) {
	h := newHost(t, Options{Folder: folder(t, "odd"), FirstPause: time.Millisecond})
	if _, err := h.Compile(t.Context(), spec("odd", `{"do":"die"}`)); model.CodeOf(err) != model.Unavailable {
		t.Errorf("%v", err)
	}
	eventually(t, "it answers again", func() bool {
		_, err := h.Compile(t.Context(), spec("odd", `{"do":"nothing"}`))
		return err == nil && h.plugin("odd").Restarts == 1
	})
}

// The pauses before a plugin that does not start again grow, and its filters are
// unavailable all the while.
func TestPluginThatStartsOnlyOnce(t *testing.T) {
	log := new(logged)
	h := newHost(t, Options{
		Folder: folder(t, "once"), FirstPause: 10 * time.Millisecond, LastPause: 80 * time.Millisecond,
		Logger: slog.New(slog.NewTextHandler(log, nil)),
	})
	if _, err := h.Compile(t.Context(), spec("odd", `{"do":"die"}`)); model.CodeOf(err) != model.Unavailable {
		t.Fatalf("%v", err)
	}
	pauses := regexp.MustCompile(`restarting a plugin.* after=(\S+)`)
	eventually(t, "it was tried six times", func() bool { return len(pauses.FindAllString(log.String(), -1)) >= 6 })
	var got []string
	for _, match := range pauses.FindAllStringSubmatch(log.String(), 6) {
		got = append(got, match[1])
	}
	if want := []string{"10ms", "20ms", "40ms", "80ms", "80ms", "80ms"}; !slices.Equal(got, want) {
		t.Errorf("pauses of %v, want %v", got, want)
	}
	if p := h.plugin("odd"); p.Status != Restarting || !strings.Contains(p.Reason, "no second time") {
		t.Errorf("%+v", p)
	}
	if _, err := h.Compile(t.Context(), spec("odd", `{"do":"nothing"}`)); model.CodeOf(err) != model.Unavailable {
		t.Errorf("%v", err)
	}
	if _, err := h.Compile(t.Context(), spec("tags", `{"all":["a"]}`)); err != nil {
		t.Errorf("another plugin's: %v", err)
	}
}

// Who speaks mutual TLS is talked to so, and talks to nobody else; who does not is a
// plugin too.
func TestMutualTLS(t *testing.T) {
	h := newHost(t, Options{Folder: folder(t, "odd", "plain")})
	if _, err := h.Compile(t.Context(), spec("odd", `{"do":"nothing"}`)); err != nil {
		t.Error(err)
	}
	if _, err := h.Compile(t.Context(), spec("tally", `{}`)); err != nil {
		t.Error(err)
	}
	sockets, err := filepath.Glob(filepath.Join(h.scratch.path, "plugin-dir*", "*"))
	if err != nil || len(sockets) != 3 {
		t.Fatalf("%v, %v", sockets, err)
	}
	open := 0
	for _, socket := range sockets {
		stranger, err := grpc.NewClient("unix://"+socket, grpc.WithTransportCredentials(insecure.NewCredentials()))
		if err != nil {
			t.Fatal(err)
		}
		described, err := pb.NewFilterPluginClient(stranger).Describe(t.Context(), &pb.DescribeRequest{})
		if err == nil {
			open++
			if described.GetVersion() != "plain" {
				t.Errorf("%s talks to anybody", described.GetName())
			}
		}
		stranger.Close()
	}
	if open != 1 {
		t.Errorf("%d plugins talk to anybody", open)
	}
}

// A plugin that is stopped answers nothing, not even that it is to end.
func TestPluginThatIsStopped(t *testing.T) {
	h := newHost(t, Options{Folder: folder(t, "odd"), CallTimeout: 200 * time.Millisecond, FirstPause: time.Millisecond})
	mustStop(t, pidOf(t, h.serving("odd")))
	n := 0
	eventually(t, "it answers again", func() bool {
		n++
		_, err := h.Compile(t.Context(), spec("odd", fmt.Sprintf(`{"do":"nothing","n":%d}`, n)))
		return err == nil && h.plugin("odd").Restarts > 0
	})
}

// The host ends soon, whatever its plugins do.
func TestCloseWithPluginsThatHang(t *testing.T) {
	h := newHost(t, Options{Folder: folder(t, "odd", "tally")})
	path := filepath.Join(t.TempDir(), "pid")
	if _, err := h.Compile(t.Context(), spec("odd", fmt.Sprintf(`{"do":"escape","path":%q}`, path))); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	escaped, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		t.Fatal(err)
	}
	defer syscall.Kill(escaped, syscall.SIGKILL)
	var pids []int
	for _, w := range []*worker{h.builtin, h.serving("odd"), h.serving("tally")} {
		pids = append(pids, pidOf(t, w))
		mustStop(t, pids[len(pids)-1])
	}
	began := time.Now()
	if err := h.Close(); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(began); took > 10*time.Second {
		t.Errorf("it took %s", took)
	}
	for _, pid := range pids {
		if alive(pid) {
			t.Errorf("plugin %d lives on", pid)
		}
	}
}

// serving returns the worker that serves the file of the name.
func (h testHost) serving(file string) *worker {
	h.mu.Lock()
	defer h.mu.Unlock()
	for path, slot := range h.slots {
		if filepath.Base(path) == file {
			return slot.serving
		}
	}
	return nil
}

// mustStop stops a process, which lives on and does nothing.
func mustStop(t *testing.T, pid int) {
	t.Helper()
	if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
}

// A plugin that writes without end costs neither memory nor log, and goes on
// answering.
func TestFloodOfOutput(t *testing.T) {
	log := new(logged)
	h := newHost(t, Options{
		Folder: folder(t, "odd"), CallTimeout: 20 * time.Second,
		Logger: slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug})),
	})
	memory := func() uint64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	before := memory()
	if _, err := h.Compile(t.Context(), spec("odd", `{"do":"flood"}`)); err != nil {
		t.Fatal(err)
	}
	eventually(t, "lines were dropped", func() bool { return strings.Contains(log.String(), "some lines were dropped") })
	if after := memory(); after > before+16<<20 {
		t.Errorf("%d MiB more memory", (after-before)>>20)
	}
	if lines := strings.Count(log.String(), "flood flood"); lines > 10*mostLines {
		t.Errorf("%d lines were logged", lines)
	}
	for n := range 20 {
		if _, err := h.Compile(t.Context(), spec("odd", fmt.Sprintf(`{"do":"nothing","n":%d}`, n))); err != nil {
			t.Error(err)
		}
	}
	if p := h.plugin("odd"); p.Status != Running || p.Restarts != 0 {
		t.Errorf("%+v", p)
	}
}

func TestPluginThatTakesTooMuchMemory(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("only Linux tells what a process takes")
	}
	log := new(logged)
	h := newHost(t, Options{
		Folder: folder(t, "odd"), PluginBytes: 200 << 20, FirstPause: time.Millisecond,
		Logger: slog.New(slog.NewTextHandler(log, nil)),
	})
	if _, err := h.Compile(t.Context(), spec("odd", `{"do":"grow"}`)); err != nil {
		t.Fatal(err)
	}
	eventually(t, "it is ended, with the reason", func() bool { return strings.Contains(log.String(), "MiB of memory, more than the maximum of 200") })
	eventually(t, "it is started again", func() bool { return h.plugin("odd").Status == Running && h.plugin("odd").Restarts == 1 })
}

// With a plugin end the processes that it has started.
func TestPluginsChildrenEndWithIt(t *testing.T) {
	h := newHost(t, Options{Folder: folder(t, "odd")})
	path := filepath.Join(t.TempDir(), "pid")
	if _, err := h.Compile(t.Context(), spec("odd", fmt.Sprintf(`{"do":"children","path":%q}`, path))); model.CodeOf(err) == model.BadInput {
		t.Fatal(err)
	}
	var child int
	eventually(t, "the child runs", func() bool {
		text, _ := os.ReadFile(path)
		child, _ = strconv.Atoi(strings.TrimSpace(string(text)))
		return child > 0 && alive(child)
	})
	if err := h.Close(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the child ended", func() bool { return !alive(child) })
}
