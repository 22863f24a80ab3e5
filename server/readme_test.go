//go:build system

// The tests in this file run the server, so they have the tag system: see main_test.go.
package main

import (
	"cmp"
	"encoding/json"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"
)

// readmeBlock is a fenced block of a README.
type readmeBlock struct {
	line           int
	language, text string
	// file is what the text is, behind the language; empty for no file.
	file string
	// notRun is why it is not run, where a comment before it says so.
	notRun string
}

var notRun = regexp.MustCompile(`^<!-- not run: (.+) -->$`)

func readmeBlocks(t *testing.T, file string) (blocks []readmeBlock) {
	t.Helper()
	content, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var block *readmeBlock
	reason, number := "", 0
	for line := range strings.Lines(string(content)) {
		number++
		line = strings.TrimSuffix(line, "\n")
		fence, isFence := strings.CutPrefix(line, "```")
		switch {
		case isFence && block == nil:
			language, file, _ := strings.Cut(fence, " ")
			block = &readmeBlock{line: number, language: language, file: file, notRun: reason}
			reason = ""
		case isFence:
			blocks = append(blocks, *block)
			block = nil
		case block != nil:
			block.text += line + "\n"
		case line != "":
			reason = ""
			if found := notRun.FindStringSubmatch(line); found != nil {
				reason = found[1]
			}
		}
	}
	if block != nil {
		t.Fatalf("the block of line %d does not end", block.line)
	}
	return blocks
}

// What the README shows works as written: its commands, in their order, in an
// empty folder, and its queries, with the very answers that stand behind them. A
// free port takes the place of 8080.
func TestReadme(t *testing.T) {
	newGuide(t, "../README.md", "make run").follow(t)
}

// So does every page of docs, each on a server of its own that make run would start.
func TestDocs(t *testing.T) {
	t.Parallel()
	pages, err := filepath.Glob("../docs/*.md")
	if err != nil || len(pages) == 0 {
		t.Fatalf("%d pages, %v", len(pages), err)
	}
	for _, page := range pages {
		t.Run(filepath.Base(page), func(t *testing.T) {
			t.Parallel()
			newGuide(t, page, "").follow(t)
		})
	}
}

// Links between the documents lead somewhere, and their lines fit a screen.
func TestDocuments(t *testing.T) {
	t.Parallel()
	pages := []string{"../README.md", "../plugins/README.md"}
	for _, pattern := range []string{"../docs/*.md", "../plugins/examples/*/README.md"} {
		found, err := filepath.Glob(pattern)
		if err != nil || len(found) == 0 {
			t.Fatalf("%s: %d pages, %v", pattern, len(found), err)
		}
		pages = append(pages, found...)
	}
	link := regexp.MustCompile(`\]\(([^)#:]+)(#[^)]*)?\)`)
	for _, page := range pages {
		content, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		number := 0
		for line := range strings.Lines(string(content)) {
			number++
			if n := utf8.RuneCountInString(strings.TrimSuffix(line, "\n")); n > 120 {
				t.Errorf("%s:%d has %d characters, want 120 at most", page, number, n)
			}
			for _, match := range link.FindAllStringSubmatch(line, -1) {
				if _, err := os.Stat(filepath.Join(filepath.Dir(page), match[1])); err != nil {
					t.Errorf("%s:%d links to %s: %v", page, number, match[1], err)
				}
			}
		}
	}
}

// The guide to plugins works too, in an empty folder beside a clone.
func TestPluginGuide(t *testing.T) {
	t.Parallel()
	g := newGuide(t, "../plugins/README.md", "../goalgraph/bin/goalgraph serve --auth none --sample")
	g.server.Dir = filepath.Join(g.server.Dir, "reader")
	if err := os.Mkdir(g.server.Dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(mustAbs(t, ".."), filepath.Join(g.server.Dir, "..", "goalgraph")); err != nil {
		t.Fatal(err)
	}
	// The home of a test is empty; what Go has downloaded need not come again.
	out, err := exec.Command("go", "env", "GOMODCACHE", "GOCACHE", "GOPROXY", "GOSUMDB", "GOTOOLCHAIN").Output()
	if err != nil {
		t.Fatal(err)
	}
	values := strings.Split(string(out), "\n")
	for i, name := range []string{"GOMODCACHE", "GOCACHE", "GOPROXY", "GOSUMDB", "GOTOOLCHAIN"} {
		g.env = append(g.env, name+"="+values[i])
	}
	g.follow(t)
}

// guide is a README that is followed.
type guide struct {
	file string
	// serves is the line that starts the server, which is prepared already; empty where
	// the guide takes it for granted that one runs.
	serves  string
	server  *process
	running *server
	// path holds the program under its name.
	path string
	env  []string
}

func newGuide(t *testing.T, file, serves string) *guide {
	t.Helper()
	g := &guide{file: file, serves: serves, path: t.TempDir()}
	g.server = program(t, "serve", "--auth", "none", "--sample", "--listen", "127.0.0.1:0")
	if err := os.Symlink(binary, filepath.Join(g.path, "goalgraph")); err != nil {
		t.Fatal(err)
	}
	return g
}

// shell runs a block of commands and returns what they write to standard output.
func (g *guide) shell(t *testing.T, block readmeBlock) string {
	t.Helper()
	var commands []string
	for line := range strings.Lines(strings.TrimPrefix(block.text, "$ ")) {
		switch strings.TrimSpace(line) {
		case g.serves:
			if g.running == nil {
				g.running = g.server.mustServe(t)
			}
		case "make build":
		default:
			line = strings.ReplaceAll(line, "../goalgraph/bin/goalgraph", "goalgraph")
			commands = append(commands, strings.ReplaceAll(line, "bin/goalgraph", "goalgraph"))
		}
	}
	script := strings.Join(commands, "")
	if g.running != nil {
		address := strings.TrimPrefix(g.running.url, "http://")
		script = strings.NewReplacer("localhost:8080", address, "127.0.0.1:8080", address).Replace(script)
	}
	run := program(t)
	run.Dir = g.server.Dir
	run.Path, run.Args = "/bin/sh", []string{"sh", "-euc", script}
	run.Env = append(append(run.Env, g.env...), "PATH="+g.path+":"+os.Getenv("PATH"))
	if code := run.mustStart(t).result(t); code != done {
		t.Fatalf("%s:%d: exit code %d\n%s%s%s", g.file, block.line, code, script, &run.stdout, &run.stderr)
	}
	return run.stdout.String()
}

// follow does what the guide says, and holds the answers against the guide's.
func (g *guide) follow(t *testing.T) {
	t.Helper()
	ran := 0
	var given string
	for _, block := range readmeBlocks(t, g.file) {
		if block.notRun != "" {
			t.Logf("%s:%d is not run: %s", g.file, block.line, block.notRun)
			given = ""
			continue
		}
		if g.serves == "" && g.running == nil {
			g.running = g.server.mustServe(t)
		}
		switch block.language {
		case "sh", "console":
			given = g.shell(t, block)
			ran++
		case "graphql":
			if g.running == nil {
				t.Fatalf("%s:%d: a query, and no server was started", g.file, block.line)
			}
			a, err := do(graphQLRequest(g.running.url, block.text))
			if err != nil || a.status != 200 {
				t.Fatalf("%s:%d: status %d; %v\n%s", g.file, block.line, a.status, err, a.body)
			}
			given = a.body
			ran++
		case "json":
			var got, want any
			if err := json.Unmarshal([]byte(block.text), &want); err != nil {
				t.Fatalf("%s:%d: %v", g.file, block.line, err)
			}
			if err := json.Unmarshal([]byte(given), &got); err != nil || !reflect.DeepEqual(got, want) {
				t.Errorf("%s:%d: the answer is\n%s\nwant\n%s", g.file, block.line, given, block.text)
			}
			given = ""
			continue
		case "text", "go", "js", "proto":
			if block.file == "" {
				continue
			}
			if err := os.WriteFile(filepath.Join(g.server.Dir, block.file), []byte(block.text), 0o644); err != nil {
				t.Fatal(err)
			}
		default:
			t.Errorf("%s:%d: what to do with a block of %q?", g.file, block.line, block.language)
		}
		if strings.Contains(given, `"errors"`) {
			t.Logf("%s:%d answers with errors", g.file, block.line)
		}
	}
	t.Logf("%d blocks ran", ran)
	if g.serves != "" && ran < 3 {
		t.Errorf("%d blocks ran, want at least 3", ran)
	}
	switch {
	case g.running != nil:
		g.running.mustStop(t)
	case g.serves != "":
		t.Fatalf("%s starts no server", g.file)
	}
}

var namedTest = regexp.MustCompile("`(Test\\w+)`")

// The page on security names the test of each line. They exist.
func TestSecurityPage(t *testing.T) {
	t.Parallel()
	tests := map[string]bool{}
	err := filepath.WalkDir("..", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() && entry.Name() == "node_modules" {
			return cmp.Or(err, filepath.SkipDir)
		}
		if !strings.HasSuffix(path, "_test.go") {
			return nil
		}
		text, err := os.ReadFile(path)
		for _, match := range testFunction.FindAllSubmatch(text, -1) {
			tests[string(match[1])] = true
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	page, err := os.ReadFile("../docs/security.md")
	if err != nil {
		t.Fatal(err)
	}
	names := namedTest.FindAllSubmatch(page, -1)
	if len(names) < 40 {
		t.Errorf("the page names %d tests", len(names))
	}
	for _, name := range names {
		if !tests[string(name[1])] {
			t.Errorf("there is no test %s", name[1])
		}
	}
}

var testFunction = regexp.MustCompile(`(?m)^func (Test\w+)\(`)
