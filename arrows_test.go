// Package goalgraph_test holds the whole module to the one rule of its folders: imports only ever point left.
//
//	migrations ← model ← plugins ← graph ← server
//
// The rule is the table below. It reads the files itself, and not through `go list`, so that go test knows what it has read and does
// not remember an old answer; and so that files behind build constraints count too. Imports of tests are free.
package goalgraph_test

import (
	"errors"
	"fmt"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/goalgraph/goalgraph"

// An arrow says what the packages in a folder, and below it where no longer folder has an arrow of its own, may import beside the
// standard library and each other.
type arrow struct {
	folder string
	own    []string // packages of ours; "x/..." is x and all below
	third  []string // of others; nil is none
	never  []string // of others or of the standard library, before all else
}

var (
	anything  = []string{"..."}
	databases = []string{"database/sql", "github.com/uptrace/bun", "github.com/jackc/pgx", "modernc.org/sqlite"}
	redis     = []string{"github.com/redis/go-redis"}
	gqlgen    = []string{"github.com/99designs/gqlgen"}
	// What no plugin's process needs.
	serverOnly = slices.Concat(databases, redis, gqlgen)
)

var arrows = []arrow{
	{folder: "migrations", third: []string{"github.com/uptrace/bun"}},

	{folder: "model"},
	{folder: "model/dimension", own: []string{"model"}},
	{folder: "model/filter", own: []string{"model", "model/dimension"}},
	{folder: "model/stats", own: []string{"model"}, third: []string{"gonum.org/v1/gonum"}},
	{folder: "model/store", own: []string{"model", "model/dimension", "migrations"}, third: anything, never: slices.Concat(redis, gqlgen)},
	{folder: "model/store/storetest", own: []string{"model", "model/store"}, third: anything, never: gqlgen},
	{folder: "model/column", own: []string{"model", "model/dimension", "model/filter"}, third: anything, never: slices.Concat(redis, gqlgen)},
	// A count is asked for with a predicate, already merged and compiled: no plugins.
	{folder: "model/count", own: []string{"model", "model/filter", "model/store", "model/column"}, third: anything, never: gqlgen},
	{folder: "model/live", own: []string{"model"}, third: redis},

	// What authors import stays small: no store, and no host.
	{folder: "plugins", own: []string{"model/filter", "plugins/pb"}, third: anything, never: serverOnly},
	{folder: "plugins/pb", third: anything, never: serverOnly},
	{folder: "plugins/builtin", own: []string{"model/filter", "plugins", "plugins/pb"}, third: anything, never: serverOnly},
	{folder: "plugins/process", own: []string{"plugins", "plugins/pb"}, third: anything, never: serverOnly},
	{folder: "plugins/check", own: []string{"model", "model/dimension", "model/filter", "plugins", "plugins/pb", "plugins/process"}, third: anything, never: serverOnly},
	{folder: "plugins/plugintest", own: []string{"model/filter", "plugins", "plugins/pb", "plugins/check"}, third: anything, never: serverOnly},
	{folder: "plugins/examples", own: []string{"model/filter", "plugins", "plugins/pb"}, third: anything, never: serverOnly},
	{folder: "plugins/host", own: []string{"model", "model/dimension", "model/filter", "plugins", "plugins/pb", "plugins/builtin", "plugins/check", "plugins/process"}, third: anything, never: slices.Concat(databases, redis)},

	{folder: "graph", own: []string{"model/...", "plugins/host"}, third: anything, never: slices.Concat(databases, redis)},

	{folder: "server/ingest", own: []string{"model", "model/store", "model/live"}, third: anything, never: gqlgen},
	{folder: "server/app", own: []string{"..."}, third: anything},
	{folder: "server/app/graphiql"},
	{folder: "server/app/liveexample"},
	{folder: "server/sdk"},
	{folder: "server/browsertest", third: []string{"github.com/chromedp"}},
	{folder: "server", own: []string{"..."}, third: anything},

	{folder: "scripts", own: []string{"model/store/storetest/servers"}},
	{folder: "bench", own: []string{"model", "model/dimension", "model/store", "model/column", "model/store/storetest/servers"}, third: anything, never: slices.Concat(redis, gqlgen)},
}

// pkg is a package of ours, by its folder.
type pkg struct {
	folder  string
	comment bool
	imports []string
}

func TestArrows(t *testing.T) {
	packages, err := load(".")
	if err != nil {
		t.Fatal(err)
	}
	if len(packages) < 5 {
		t.Fatalf("only %d packages found", len(packages))
	}
	for _, p := range packages {
		for _, problem := range check(p) {
			t.Error(problem)
		}
	}
}

// check returns what is wrong with a package.
func check(p pkg) (problems []string) {
	if !p.comment {
		problems = append(problems, p.folder+" has no package comment")
	}
	from, ok := arrowOf(p.folder)
	if !ok {
		return append(problems, p.folder+" has no arrow: say in the table what it may import")
	}
	for _, imported := range p.imports {
		if why := refuse(from, p.folder, imported); why != "" {
			problems = append(problems, fmt.Sprintf("%s must not import %s: %s", p.folder, imported, why))
		}
	}
	return problems
}

func arrowOf(folder string) (found arrow, ok bool) {
	for _, a := range arrows {
		if within(folder, a.folder) && len(a.folder) > len(found.folder) {
			found, ok = a, true
		}
	}
	return found, ok
}

func refuse(from arrow, folder, imported string) string {
	inTest := forTests(folder)
	first, _, _ := strings.Cut(imported, "/")
	own, isOwn := strings.CutPrefix(imported, module+"/")
	switch {
	case matches(from.never, imported):
		return from.folder + " never does"
	case imported == "testing" && !inTest:
		return "shipped code does not, only packages named …test"
	case isOwn && forTests(own) && !inTest && from.folder != "scripts" && from.folder != "bench":
		return "it is for tests"
	case isOwn && within(own, "server/app") && !within(folder, "server/app") && folder != "server":
		return "only server does"
	case isOwn:
		to, _ := arrowOf(own)
		if to.folder == from.folder || matches(from.own, own) {
			return ""
		}
		return from.folder + " may import of ours " + list(from.own)
	case strings.Contains(first, ".") && !matches(from.third, imported):
		return from.folder + " may import of others " + list(from.third)
	}
	return ""
}

func list(allowed []string) string {
	if len(allowed) == 0 {
		return "nothing"
	}
	return "only " + strings.Join(allowed, ", ")
}

// matches reports whether a path is allowed: of ours, exactly or by "x/..."; of others, the module and all below.
func matches(patterns []string, imported string) bool {
	for _, p := range patterns {
		prefix, tree := strings.CutSuffix(p, "...")
		prefix = strings.TrimSuffix(prefix, "/")
		outside := strings.Contains(p, ".") && !tree || p == "database/sql"
		if imported == prefix || (tree || outside) && within(imported, prefix) {
			return true
		}
	}
	return false
}

func within(name, folder string) bool {
	return folder == "" || name == folder || strings.HasPrefix(name, folder+"/")
}

// forTests reports whether a package is named as one that serves tests, storetest say, or stands below one.
func forTests(folder string) bool {
	return slices.ContainsFunc(strings.Split(folder, "/"), func(name string) bool { return strings.HasSuffix(name, "test") })
}

// load reads the packages of a module's folder.
func load(root string) (packages []pkg, err error) {
	err = filepath.WalkDir(root, func(dir string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.IsDir() {
			return err
		}
		if name := entry.Name(); dir != root {
			_, err := os.Stat(filepath.Join(dir, "go.mod"))
			if err == nil || name == "testdata" || name == "node_modules" || name[0] == '.' || name[0] == '_' {
				return fs.SkipDir // of another module, or no Go code
			}
			if !errors.Is(err, fs.ErrNotExist) {
				return err
			}
		}
		p, err := loadPackage(root, dir)
		if p != nil {
			packages = append(packages, *p)
		}
		return err
	})
	return packages, err
}

func loadPackage(root, dir string) (*pkg, error) {
	files, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil {
		return nil, err
	}
	files = slices.DeleteFunc(files, func(file string) bool { return strings.HasSuffix(file, "_test.go") })
	if len(files) == 0 {
		return nil, nil
	}
	folder, err := filepath.Rel(root, dir)
	if err != nil {
		return nil, err
	}
	p := &pkg{folder: filepath.ToSlash(folder)}
	for _, file := range files {
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ImportsOnly|parser.ParseComments)
		if err != nil {
			return nil, err
		}
		p.comment = p.comment || strings.TrimSpace(parsed.Doc.Text()) != ""
		for _, spec := range parsed.Imports {
			imported, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				return nil, err
			}
			p.imports = append(p.imports, imported)
		}
	}
	slices.Sort(p.imports)
	p.imports = slices.Compact(p.imports)
	return p, nil
}

func TestCheck(t *testing.T) {
	for _, test := range []struct {
		folder, imported string
		ok               bool
	}{
		{"model", "strings", true},
		{"model", "github.com/uptrace/bun", false},
		{"model", module + "/model/store", false},
		{"model", module + "/migrations", false},
		{"model/filter", module + "/model", true},
		{"model/filter", module + "/model/store", false},
		{"model/filter", "gonum.org/v1/gonum/stat", false},
		{"model/stats", "gonum.org/v1/gonum/stat", true},
		{"model/store", module + "/migrations", true},
		{"model/store", "github.com/redis/go-redis/v9", false},
		{"model/store", "testing", false},
		{"model/store", module + "/model/store/storetest", false},
		{"model/store/storetest", "testing", true},
		{"model/store/storetest/servers", "github.com/jackc/pgx/v5", true},
		{"model/count", "github.com/redis/go-redis/v9", true},
		{"model/count", module + "/plugins", false},
		{"model/live", module + "/model/store", false},
		{"plugins/builtin", module + "/plugins", true},
		{"plugins/builtin", module + "/plugins/host", false},
		{"plugins/examples/weekday", module + "/plugins", true},
		{"plugins", module + "/plugins/builtin", false},
		{"plugins/check", "testing", false},
		{"plugins/check", module + "/plugins/host", false},
		{"plugins/plugintest", "testing", true},
		{"plugins/host", module + "/model/count", false},
		{"graph", module + "/graph/generated", true},
		{"graph", module + "/model/count", true},
		{"graph", module + "/model/store/storetest", false},
		{"graph", module + "/server/app", false},
		{"graph", "database/sql", false},
		{"graph", "database/sql/driver", false},
		{"server/ingest/bots", module + "/model", true},
		{"server/ingest", module + "/graph", false},
		{"server/app", module + "/graph", true},
		{"server/app", module + "/model/store/storetest", false},
		{"server", module + "/server/app", true},
		{"server/other", module + "/server/app", false},
		{"scripts/with-test-servers", module + "/model/store/storetest/servers", true},
		{"util", "strings", false},
	} {
		problems := check(pkg{folder: test.folder, comment: true, imports: []string{test.imported}})
		if ok := len(problems) == 0; ok != test.ok {
			t.Errorf("%s imports %s: allowed %t, want %t: %q", test.folder, test.imported, ok, test.ok, problems)
		}
	}
	if problems := check(pkg{folder: "model"}); len(problems) != 1 {
		t.Errorf("no comment: %q", problems)
	}
}

func TestLoad(t *testing.T) {
	root := t.TempDir()
	for name, content := range map[string]string{
		"model/site.go":           "// Package model is here.\npackage model\n\nimport \"github.com/uptrace/bun\"\n",
		"model/goal.go":           "//go:build never\n\npackage model\n\nimport \"errors\"\n",
		"model/goal_test.go":      "package model\n\nimport \"testing\"\n",
		"model/testdata/x.go":     "package x\n",
		"plugins/examples/go.mod": "module example\n",
		"plugins/examples/x.go":   "package x\n",
		"graph/graph.go":          "package graph\n",
	} {
		file := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	packages, err := load(root)
	if err != nil {
		t.Fatal(err)
	}
	want := "[{graph false []} {model true [errors github.com/uptrace/bun]}]"
	if got := fmt.Sprint(packages); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}
