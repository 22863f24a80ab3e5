package host

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
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
	case "thief":
		plugins.Serve("thief", "1.0.0", plugins.Of(named{name: "country", input: "CountryFilter"}))
	case "unprefixed":
		plugins.Serve("unprefixed", "1.0.0", plugins.Of(named{name: "mine", input: "FilterOfMine"}))
	case "quitter":
		fmt.Fprintln(os.Stderr, "the licence has run out")
		os.Exit(3)
	case "lonely-host":
		lonelyHost()
	}
	os.Exit(m.Run())
}

// lonelyHost is a host that is never closed.
func lonelyHost() {
	h, err := New(context.Background(), Options{})
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	fmt.Println(h.workers[0].running.pid)
	os.Stdin.Read(make([]byte, 1)) // until it is killed
	os.Exit(0)
}

// odd does what its argument says.
type odd struct{}

type oddArgs struct {
	Do string `json:"do"`
	N  int    `json:"n"`
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
	case "nonsense":
		return filter.In{Field: filter.Field{Name: "shoeSize"}, Values: []string{"1"}}, nil
	}
	return filter.Bool(true), nil
}

func (odd) Label(args oddArgs) string {
	switch args.Do {
	case "environment":
		return strings.Join(os.Environ(), " ")
	case "long":
		return strings.Repeat("long\n", 10_000)
	}
	return args.Do
}

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

func newHost(tb testing.TB, o Options) *Host {
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
	return h
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
