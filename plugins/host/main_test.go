package host

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/goalgraph/goalgraph/model"
	"github.com/goalgraph/goalgraph/model/filter"
	"github.com/goalgraph/goalgraph/plugins"
	"github.com/goalgraph/goalgraph/plugins/builtin"
)

// TestMain makes of the test's program what a test wants it to be: the built-in
// plugin, a plugin in a folder (by the name of a link to it), or a host.
func TestMain(m *testing.M) {
	builtin.ServeIfAsked()
	switch filepath.Base(os.Args[0]) {
	case "odd", "odd-again":
		plugins.Serve("odd", "1.0.0", plugins.Of(odd{}))
	case "plain": // does not speak TLS
		os.Unsetenv("PLUGIN_CLIENT_CERT")
		plugins.Serve("tally", "plain", plugins.Of(tally{}))
	case "once":
		once()
	case "odd-2":
		plugins.Serve("odd", "2.0.0", plugins.Of(odd{second: true}))
	case "tally":
		plugins.Serve("tally", "1 {x} 0", plugins.Of(tally{}))
	case "tally-2":
		plugins.Serve("tally", "2", plugins.Of(tally{}))
	case "thief":
		plugins.Serve("thief", "1.0.0", plugins.Of(named{name: "country", input: "CountryFilter"}))
	case "unprefixed":
		plugins.Serve("unprefixed", "1.0.0", plugins.Of(named{name: "mine", input: "FilterOfMine"}))
	case "unparsed":
		plugins.Serve("unparsed", "1.0.0", plugins.Of(named{name: "mine", input: "MineFilter {"}))
	case "schema":
		plugins.Serve("schema", "1.0.0", plugins.Of(named{name: "site", input: "Site"}))
	case "slow":
		select {}
	case "mute":
		mute()
	case "future": // of a protocol that is still to come
		fmt.Println("1|2|unix|/nowhere|grpc")
		select {}
	case "babbler":
		for {
			fmt.Print(strings.Repeat("x", 1<<16))
		}
	case "quitter":
		fmt.Fprintln(os.Stderr, "the licence has run out")
		os.Exit(3)
	case "lonely-host":
		lonelyHost()
	}
	os.Exit(m.Run())
}

// once is a plugin that starts the first time only.
func once() {
	marks := os.Getenv("PLUGIN_UNIX_SOCKET_DIR") + "/../once" // among the copies of programs
	mark, err := os.OpenFile(marks, os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		fmt.Fprintln(os.Stderr, "no second time")
		os.Exit(1)
	}
	mark.Close()
	plugins.Serve("odd", "1.0.0", plugins.Of(odd{}))
}

// mute is a plugin that takes connections and says nothing.
func mute() {
	listener, err := net.Listen("unix", filepath.Join(os.Getenv("PLUGIN_UNIX_SOCKET_DIR"), "mute"))
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Printf("1|1|unix|%s|grpc\n", listener.Addr())
	select {}
}

// lonelyHost is a host that is never closed.
func lonelyHost() {
	h, err := New(context.Background(), Options{})
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	fmt.Println(h.builtin.running.PID)
	os.Stdin.Read(make([]byte, 1)) // until it is killed
	os.Exit(0)
}

// odd does what its argument says.
type odd struct{ second bool }

type oddArgs struct {
	Do string `json:"do"`
	N  int    `json:"n"`
	// Path is a file to write to.
	Path string `json:"path"`
}

func (odd) Describe() plugins.Description {
	return plugins.Description{
		Name: "odd", Title: "Odd", Description: "Does as it is told.", Rule: plugins.Custom,
		SDL: `input OddFilter { do: OddThing! n: Int = 0 } enum OddThing { nothing hang panic nonsense environment }`, Input: "OddFilter",
	}
}

func (odd) Compile(ctx context.Context, args oddArgs) (filter.Expr, error) {
	switch args.Do {
	case "hang":
		<-ctx.Done()
		return nil, ctx.Err()
	case "panic":
		panic("as told")
	case "fail":
		return nil, errors.New("as told")
	case "die":
		os.Exit(1)
	case "flood":
		for _, to := range []*os.File{os.Stdout, os.Stderr} {
			go func() {
				line := []byte(strings.Repeat("flood ", 20) + "\n")
				for {
					to.Write(line)
				}
			}()
		}
	case "grow":
		go func() {
			for {
				grown = append(grown, make([]byte, 1<<20)...)
				for i := 0; i < len(grown); i += 4096 {
					grown[i]++
				}
			}
		}()
	case "children":
		return nil, exec.Command("/bin/sh", "-c", "sleep 1000 & echo $! > "+args.Path).Run()
	case "escape": // holding the standard error
		child := exec.Command("/bin/sh", "-c", "echo $$ > "+args.Path+"; exec sleep 1000")
		child.Stderr, child.SysProcAttr = os.Stderr, &syscall.SysProcAttr{Setsid: true}
		if err := child.Start(); err != nil {
			return nil, err
		}
		for text := ""; !strings.HasSuffix(text, "\n"); {
			raw, _ := os.ReadFile(args.Path)
			text = string(raw)
		}
	case "nonsense":
		return filter.In{Field: filter.Field{Name: "shoeSize"}, Values: []string{"1"}}, nil
	}
	return filter.Bool(true), nil
}

func (o odd) Label(args oddArgs) string {
	switch args.Do {
	case "version":
		return map[bool]string{false: "one", true: "two"}[o.second]
	case "environment":
		return strings.Join(os.Environ(), " ")
	case "long":
		return strings.Repeat("long\n", 10_000)
	}
	return args.Do
}

// grown is what odd took.
var grown []byte

// named only has a name and an input.
type named struct{ name, input string }

func (n named) Describe() plugins.Description {
	return plugins.Description{Name: n.name, Title: "T", Rule: plugins.Last, SDL: "input " + n.input + " { x: Int }", Input: n.input}
}

func (named) Compile(context.Context, struct{}) (filter.Expr, error) { return filter.Bool(true), nil }

// folder returns a folder with links of these names to the test's program.
func folder(t *testing.T, names ...string) string {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for _, name := range names {
		if err := os.Symlink(self, filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// testHost asks the set of the moment.
type testHost struct{ *Host }

func newHost(tb testing.TB, o Options) testHost {
	tb.Helper()
	h, err := New(tb.Context(), o)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := h.Close(); err != nil {
			tb.Error(err)
		}
	})
	return testHost{h}
}

func (h testHost) Compile(ctx context.Context, spec model.FilterSpec) (Compiled, error) {
	set := h.Acquire()
	defer set.Release()
	return set.Compile(ctx, spec)
}

func (h testHost) Merge(ctx context.Context, active, goal []model.FilterSpec) (*Merged, error) {
	set := h.Acquire()
	defer set.Release()
	return set.Merge(ctx, active, goal)
}

func (h testHost) Types() []*Type {
	set := h.Acquire()
	defer set.Release()
	return set.Types()
}

// onlyBuiltin tells whether the types are those of the built-in plugin.
func (h testHost) onlyBuiltin() bool {
	types := h.Types()
	return len(types) > 0 && !slices.ContainsFunc(types, func(t *Type) bool { return t.Plugin != builtin.Name })
}

func spec(typ, args string) model.FilterSpec {
	return model.FilterSpec{Type: typ, Args: json.RawMessage(args)}
}

// specs reads "type {args}" filters.
func specs(filters ...string) []model.FilterSpec {
	var list []model.FilterSpec
	for _, f := range filters {
		typ, args, _ := strings.Cut(f, " ")
		list = append(list, spec(typ, args))
	}
	return list
}
