// Package arrows_test checks the imports of every package against one table. Its first rule is that of the folders:
// imports only ever point left.
//
//	migrations ← model ← plugins ← graph ← server
//
// The table has a line for every package. It grants the packages of this module and the modules of others that the package
// imports, and nothing else: a missing grant, an unused grant and a line without a package all fail.
//
// The test parses the files instead of asking `go list`. So go test knows which files it has read and reruns it when
// they change, and it sees files behind build constraints too. Test files may import anything.
package arrows_test

import (
	"errors"
	"fmt"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/goalgraph/goalgraph"

// layers are the folders of the root that hold packages, the lowest first. scripts may import all others.
var layers = []string{"migrations", "model", "plugins", "graph", "server", "scripts"}

// An arrow lists what one package may import, separated by spaces. The standard library is free, except for
// database/sql, which is granted like a module, and testing, which only packages named …test import.
type arrow struct {
	folder string
	own    string // packages of this module
	others string // modules of others
}

var arrows = []arrow{
	{folder: "migrations"},

	{folder: "model", others: "golang.org/x/net"},
	{folder: "model/allocation"},
	{folder: "model/allowance", others: `
		github.com/go-redis/redis_rate/v10
		github.com/maypok86/otter/v2
		github.com/redis/go-redis/v9
		golang.org/x/time`},
	{folder: "model/column", own: "model model/dimension model/filter", others: `
		github.com/RoaringBitmap/roaring/v2
		github.com/bits-and-blooms/bitset
		github.com/klauspost/compress
		golang.org/x/sys`},
	// A count is asked for with a predicate, already merged and compiled: no plugins.
	{folder: "model/count", own: "model model/column model/filter model/partition model/store", others: `
		github.com/RoaringBitmap/roaring/v2
		github.com/bits-and-blooms/bitset
		github.com/maypok86/otter/v2
		github.com/redis/go-redis/v9
		golang.org/x/sync`},
	{folder: "model/count/computed", own: "model model/column model/count model/filter model/partition model/store", others: `
		github.com/bits-and-blooms/bitset
		golang.org/x/sync`},
	// The oracle shares the contracts with the engines, and nothing else.
	{folder: "model/count/naive", own: "model model/count model/experiment model/filter model/store"},
	{folder: "model/engine", own: "model model/column model/count model/count/computed model/experiment model/filter model/partition model/store"},
	{folder: "model/experiment", own: "model model/column model/count model/filter model/partition model/stats model/store", others: `
		github.com/bits-and-blooms/bitset
		github.com/maypok86/otter/v2
		golang.org/x/sync`},
	{folder: "model/dimension", own: "model"},
	{folder: "model/filter", own: "model model/dimension"},
	{folder: "model/filter/filtertest", own: "model model/dimension model/filter"},
	{folder: "model/live", others: "github.com/redis/go-redis/v9"},
	{folder: "model/modeltest", own: "model model/store"},
	{folder: "model/partition", own: "model model/column model/filter model/store", others: "github.com/maypok86/otter/v2"},
	{folder: "model/stats", others: "gonum.org/v1/gonum"},
	{folder: "model/stats/simulate", own: "model/stats", others: "gonum.org/v1/gonum"},
	{folder: "model/store", own: "migrations model model/dimension", others: `
		database/sql
		github.com/jackc/pgx/v5
		github.com/uptrace/bun
		github.com/uptrace/bun/dialect/pgdialect
		github.com/uptrace/bun/dialect/sqlitedialect
		golang.org/x/sync
		modernc.org/sqlite`},
	{folder: "model/store/storetest", own: "model/store/storetest/servers", others: `
		github.com/jackc/pgx/v5
		github.com/redis/go-redis/v9`},
	{folder: "model/store/storetest/servers", others: "github.com/jackc/pgx/v5"},

	// What authors of plugins import stays small: no store, no host, no GraphQL server.
	{folder: "plugins", own: "model/filter plugins/pb", others: `
		github.com/hashicorp/go-hclog
		github.com/hashicorp/go-plugin
		google.golang.org/grpc`},
	{folder: "plugins/builtin", own: "model model/dimension model/filter plugins", others: "golang.org/x/text"},
	{folder: "plugins/check", own: "model model/dimension model/filter plugins plugins/pb plugins/process", others: `
		github.com/hashicorp/go-hclog
		github.com/hashicorp/go-plugin
		github.com/vektah/gqlparser/v2
		google.golang.org/grpc
		google.golang.org/protobuf`},
	{folder: "plugins/examples/journey", own: "model/filter plugins"},
	{folder: "plugins/examples/paidtraffic", own: "model/filter plugins"},
	{folder: "plugins/host", own: "model model/dimension model/filter plugins plugins/builtin plugins/check plugins/pb plugins/process", others: `
		github.com/hashicorp/go-hclog
		github.com/maypok86/otter/v2
		google.golang.org/grpc
		google.golang.org/protobuf`},
	{folder: "plugins/host/hosttest", own: "plugins/host"},
	{folder: "plugins/pb", others: "google.golang.org/grpc google.golang.org/protobuf"},
	{folder: "plugins/plugintest", own: "plugins plugins/check"},
	{folder: "plugins/process", own: "plugins plugins/pb", others: `
		github.com/hashicorp/go-hclog
		github.com/hashicorp/go-plugin
		google.golang.org/grpc`},

	{folder: "graph", own: `
		graph/document graph/generated graph/scalar graph/view model model/count model/experiment model/filter model/partition
		model/stats model/store plugins plugins/host`, others: `
		github.com/99designs/gqlgen
		github.com/maypok86/otter/v2
		github.com/vektah/gqlparser/v2`},
	// Documents know no resolvers: they are read by a schema, and refused by a code.
	{folder: "graph/document", own: "model", others: `
		github.com/maypok86/otter/v2
		github.com/vektah/gqlparser/v2`},
	{folder: "graph/subscription", own: "graph model model/live", others: `
		github.com/99designs/gqlgen
		github.com/prometheus/client_golang
		github.com/vektah/gqlparser/v2`},
	{folder: "graph/transport", own: "graph graph/subscription model model/allowance model/live", others: `
		github.com/99designs/gqlgen
		github.com/andybalholm/brotli
		github.com/coder/websocket
		github.com/klauspost/compress
		github.com/prometheus/client_golang
		github.com/vektah/gqlparser/v2`},
	{folder: "graph/clienttest"},
	{folder: "graph/clienttest/generated", others: "github.com/Khan/genqlient"},
	{folder: "graph/generated", own: "graph/list graph/scalar graph/view model model/experiment model/stats plugins plugins/host", others: `
		github.com/99designs/gqlgen
		github.com/vektah/gqlparser/v2`},

	{folder: "graph/list", others: "github.com/99designs/gqlgen"},
	{folder: "graph/scalar", own: "model", others: "github.com/99designs/gqlgen github.com/vektah/gqlparser/v2"},
	{folder: "graph/view", own: "graph/scalar model model/count model/experiment model/filter model/stats plugins plugins/host"},

	{folder: "server", own: "model model/stats model/store plugins/builtin plugins/host server/app server/login", others: `
		github.com/alecthomas/kong
		golang.org/x/term`},
	{folder: "server/app", own: `
		graph graph/document graph/transport model model/allowance model/column model/count model/engine model/live model/stats model/store plugins
		plugins/builtin plugins/check plugins/host server/app/graphiql server/app/liveexample server/app/sample
		server/access server/dashboard server/ingest server/login server/mcp server/ofrep server/sdk`, others: `
		github.com/maypok86/otter/v2
		github.com/prometheus/client_golang
		github.com/redis/go-redis/v9
		golang.org/x/crypto
		golang.org/x/term`},
	// What the door lets in is anybody's affair: no graph, no ingest.
	{folder: "server/access", own: "model model/allowance model/store", others: `
		github.com/maypok86/otter/v2
		golang.org/x/sync
		golang.org/x/time`},
	{folder: "server/app/graphiql", own: "server/bundle"},
	{folder: "server/app/liveexample"},
	{folder: "server/app/sample", own: "model model/store server/ingest"},
	{folder: "server/bench", own: "model model/column model/dimension model/partition model/store model/store/storetest/servers", others: `
		github.com/jackc/pgx/v5 golang.org/x/sync`},
	{folder: "server/bundle"},
	{folder: "server/bundle/compress"},
	{folder: "server/dashboard", own: "server/bundle"},
	{folder: "server/browsertest", others: "github.com/chromedp/cdproto github.com/chromedp/chromedp"},
	{folder: "server/ingest", own: "model model/allowance model/live model/store server/access server/ingest/bots", others: `
		github.com/maypok86/otter/v2
		github.com/mileusna/useragent
		github.com/oschwald/maxminddb-golang/v2
		github.com/prometheus/client_golang
		github.com/schollz/progressbar/v3
		golang.org/x/time`},
	{folder: "server/ingest/bots"},
	{folder: "server/login", own: "model model/allowance model/store", others: `
		github.com/alexedwards/argon2id
		github.com/alexedwards/scs/v2
		github.com/coreos/go-oidc/v3
		github.com/maypok86/otter/v2
		github.com/prometheus/client_golang
		github.com/trustelem/zxcvbn
		golang.org/x/crypto
		golang.org/x/oauth2
		golang.org/x/text`},
	// Assistants ask by the graph, and have no way to the store.
	{folder: "server/mcp", own: "graph graph/transport model", others: `
		github.com/99designs/gqlgen
		github.com/modelcontextprotocol/go-sdk
		github.com/prometheus/client_golang
		github.com/vektah/gqlparser/v2`},
	{folder: "server/nodetest"},
	{folder: "server/ofrep", own: `
		model model/allocation model/experiment model/filter model/live model/store plugins/host server/access server/ingest`, others: `
		github.com/maypok86/otter/v2
		github.com/prometheus/client_golang
		golang.org/x/sync`},
	{folder: "server/sdk"},

	{folder: "scripts/inorder"},
	{folder: "scripts/with-test-servers", own: "model/store/storetest/servers"},
}

func TestArrows(t *testing.T) {
	root, err := moduleRoot()
	if err != nil {
		t.Fatal(err)
	}
	packages, err := load(root)
	if err != nil {
		t.Fatal(err)
	}
	for _, problem := range check(arrows, packages) {
		t.Error(problem)
	}
}

// pkg is a package of this module.
type pkg struct {
	folder  string
	comment bool // it has a package comment
	imports []string
}

// check returns what is wrong with the packages and with the table.
func check(arrows []arrow, packages []pkg) (problems []string) {
	problem := func(format string, args ...any) { problems = append(problems, fmt.Sprintf(format, args...)) }
	table := map[string]arrow{}
	for _, a := range arrows {
		if _, twice := table[a.folder]; twice {
			problem("%s has two lines in the table", a.folder)
		}
		table[a.folder] = a
		if layer(a.folder) < 0 {
			problem("%s is in none of the folders %s", a.folder, strings.Join(layers, ", "))
		}
		for _, to := range strings.Fields(a.own) {
			if layer(to) > layer(a.folder) {
				problem("%s is granted %s, which is to its right", a.folder, to)
			}
			if forTests(to) && !forTests(a.folder) && !measures(a.folder) {
				problem("%s is granted %s, which is for tests", a.folder, to)
			}
		}
	}
	for _, p := range packages {
		if !p.comment {
			problem("%s has no package comment", p.folder)
		}
		a, found := table[p.folder]
		if !found {
			problem("%s has no line in the table: add one with what it may import", p.folder)
			continue
		}
		delete(table, p.folder)
		unused := append(strings.Fields(a.own), strings.Fields(a.others)...)
		granted := slices.Clone(unused)
		for _, imported := range p.imports {
			name := strings.TrimPrefix(imported, module+"/")
			covers := func(grant string) bool { return covers(grant, name) }
			switch {
			case imported == "testing" && !forTests(p.folder):
				problem("%s imports testing, which only packages named …test do", p.folder)
			case needsGrant(imported) && !slices.ContainsFunc(granted, covers):
				problem("%s imports %s, which the table does not grant", p.folder, name)
			}
			unused = slices.DeleteFunc(unused, covers)
		}
		for _, grant := range unused {
			problem("%s is granted %s, which it does not import: remove the grant", p.folder, grant)
		}
	}
	for _, a := range arrows {
		if _, left := table[a.folder]; left {
			problem("%s has a line in the table and is not a package: remove the line", a.folder)
			delete(table, a.folder)
		}
	}
	return problems
}

// layer is the position of a package's folder among the layers.
func layer(folder string) int {
	top, _, _ := strings.Cut(folder, "/")
	return slices.Index(layers, top)
}

// needsGrant reports whether an import is one of the table's: of this module, of others, or database/sql.
func needsGrant(imported string) bool {
	first, _, _ := strings.Cut(imported, "/")
	return strings.Contains(first, ".") || covers("database/sql", imported)
}

// covers reports whether a grant covers an import. One of this module is a package, any other a module with all its packages.
func covers(grant, imported string) bool {
	return grant == imported || strings.HasPrefix(imported, grant+"/") && needsGrant(grant)
}

// forTests reports whether a package serves tests: it or a folder above it is named so, storetest for example.
func forTests(folder string) bool {
	return slices.ContainsFunc(strings.Split(folder, "/"), func(name string) bool { return strings.HasSuffix(name, "test") })
}

// measures reports whether a package starts servers as tests do, without being part of what is shipped.
func measures(folder string) bool {
	return folder == "server/bench" || strings.HasPrefix(folder, "scripts/")
}

// moduleRoot is the nearest folder above with a go.mod.
func moduleRoot() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir, nil
		}
		above := filepath.Dir(dir)
		if above == dir {
			return "", errors.New("no go.mod in this folder or above")
		}
		dir = above
	}
}

// load reads the packages of the module in a folder.
func load(root string) (packages []pkg, err error) {
	err = filepath.WalkDir(root, func(dir string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.IsDir() {
			return err
		}
		if name := entry.Name(); dir != root {
			_, err := os.Stat(filepath.Join(dir, "go.mod"))
			if err == nil || name == "testdata" || name == "node_modules" || name[0] == '.' || name[0] == '_' {
				return fs.SkipDir // another module, or no Go code
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

// loadPackage reads the package in a folder; nil if there is none, or only tests.
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
	table := []arrow{
		{folder: "migrations"},
		{folder: "model"},
		{folder: "model/store", own: "model migrations", others: "database/sql github.com/uptrace/bun"},
		{folder: "model/store/storetest", own: "model/store"},
		{folder: "plugins", own: "model"},
		{folder: "server/bench", own: "model/store/storetest"},
	}
	whole := map[string]string{ // every package with all that it is granted
		"migrations":            "embed",
		"model":                 "strings",
		"model/store":           "database/sql/driver errors github.com/uptrace/bun/dialect OURS/migrations OURS/model",
		"model/store/storetest": "testing OURS/model/store",
		"plugins":               "OURS/model",
		"server/bench":          "OURS/model/store/storetest",
	}
	for _, test := range []struct {
		name            string
		arrow           *arrow // in place of the last line
		folder, imports string // in place of the package's
		want            string
	}{
		{name: "all is well"},
		{name: "own", folder: "plugins", imports: "OURS/model OURS/model/store",
			want: "plugins imports model/store, which the table does not grant"},
		{name: "own below a granted one", folder: "plugins", imports: "OURS/model OURS/model/filter",
			want: "plugins imports model/filter, which the table does not grant"},
		{name: "others", folder: "model", imports: "github.com/uptrace/bun/schema",
			want: "model imports github.com/uptrace/bun/schema, which the table does not grant"},
		{name: "module whose path begins alike", folder: "model/store",
			imports: "database/sql github.com/uptrace/bun github.com/uptrace/bunny OURS/migrations OURS/model",
			want:    "model/store imports github.com/uptrace/bunny, which the table does not grant"},
		{name: "database/sql", folder: "model", imports: "database/sql",
			want: "model imports database/sql, which the table does not grant"},
		{name: "testing", folder: "model", imports: "testing", want: "model imports testing, which only packages named …test do"},
		{name: "unused own", folder: "plugins", imports: "strings",
			want: "plugins is granted model, which it does not import: remove the grant"},
		{name: "unused others", folder: "model/store", imports: "database/sql OURS/migrations OURS/model",
			want: "model/store is granted github.com/uptrace/bun, which it does not import: remove the grant"},
		{name: "no line", folder: "model/count", imports: "strings",
			want: "model/count has no line in the table: add one with what it may import"},
		{name: "no package", folder: "migrations", want: "migrations has a line in the table and is not a package: remove the line"},
		{name: "to the right", arrow: &arrow{folder: "server/bench", own: "model/store/storetest scripts/x"}, folder: "server/bench",
			imports: "OURS/model/store/storetest OURS/scripts/x",
			want:    "server/bench is granted scripts/x, which is to its right"},
		{name: "for tests", arrow: &arrow{folder: "server/bench"}, folder: "server/bench", imports: "strings"},
		{name: "for tests, shipped", arrow: &arrow{folder: "server", own: "model/store/storetest"}, folder: "server/bench",
			want: "server is granted model/store/storetest, which is for tests; " +
				"server has a line in the table and is not a package: remove the line"},
		{name: "another folder", arrow: &arrow{folder: "util"}, folder: "util", imports: "strings",
			want: "util is in none of the folders migrations, model, plugins, graph, server, scripts; " +
				"server/bench has no line in the table: add one with what it may import"},
		{name: "two lines", arrow: &arrow{folder: "model"}, folder: "server/bench", want: "model has two lines in the table"},
	} {
		t.Run(test.name, func(t *testing.T) {
			lines := slices.Clone(table)
			if test.arrow != nil {
				lines[len(lines)-1] = *test.arrow
			}
			packages := maps.Clone(whole)
			if packages[test.folder] = test.imports; test.imports == "" {
				delete(packages, test.folder)
			}
			var loaded []pkg
			for _, folder := range slices.Sorted(maps.Keys(packages)) {
				imports := strings.Fields(strings.ReplaceAll(packages[folder], "OURS", module))
				loaded = append(loaded, pkg{folder: folder, comment: true, imports: imports})
			}
			if got := strings.Join(check(lines, loaded), "; "); got != test.want {
				t.Errorf("got  %s\nwant %s", got, test.want)
			}
		})
	}
	if got := check([]arrow{{folder: "model"}}, []pkg{{folder: "model"}}); !slices.Equal(got, []string{"model has no package comment"}) {
		t.Errorf("a package without a comment: %q", got)
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
