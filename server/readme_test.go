package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"
)

// readmeBlock is a fenced block of the README.
type readmeBlock struct {
	line           int
	language, text string
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
			block = &readmeBlock{line: number, language: fence, notRun: reason}
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
	blocks := readmeBlocks(t, "../README.md")
	if len(blocks) == 0 {
		t.Fatal("the README has no blocks")
	}
	p := program(t, "serve", "--auth", "none", "--sample", "--listen", "127.0.0.1:0")
	folder := p.Dir
	if err := os.Symlink(binary, filepath.Join(folder, "goalgraph")); err != nil {
		t.Fatal(err)
	}
	var s *server
	shell := func(block readmeBlock) string {
		var commands []string
		for line := range strings.Lines(strings.TrimPrefix(block.text, "$ ")) {
			switch strings.TrimSpace(line) {
			case "make run":
				if s == nil {
					s = p.mustServe(t)
				}
			case "make build":
			default:
				commands = append(commands, strings.ReplaceAll(line, "bin/goalgraph", "goalgraph"))
			}
		}
		script := strings.Join(commands, "")
		if s != nil {
			address := strings.TrimPrefix(s.url, "http://")
			script = strings.NewReplacer("localhost:8080", address, "127.0.0.1:8080", address).Replace(script)
		}
		run := program(t)
		run.Dir = folder
		run.Path, run.Args = "/bin/sh", []string{"sh", "-euc", script}
		run.Env = append(run.Env, "PATH="+folder+":"+os.Getenv("PATH"))
		if code := run.mustStart(t).result(t); code != done {
			t.Fatalf("README.md:%d: exit code %d\n%s%s%s", block.line, code, script, &run.stdout, &run.stderr)
		}
		return run.stdout.String()
	}
	ran := 0
	var given string
	for _, block := range blocks {
		if block.notRun != "" {
			t.Logf("README.md:%d is not run: %s", block.line, block.notRun)
			given = ""
			continue
		}
		switch block.language {
		case "sh", "console":
			given = shell(block)
			ran++
		case "graphql":
			if s == nil {
				t.Fatalf("README.md:%d: a query, and no server was started", block.line)
			}
			a, err := do(graphQLRequest(s.url, block.text))
			if err != nil || a.status != 200 {
				t.Fatalf("README.md:%d: status %d; %v\n%s", block.line, a.status, err, a.body)
			}
			given = a.body
			ran++
		case "json":
			var got, want any
			if err := json.Unmarshal([]byte(block.text), &want); err != nil {
				t.Fatalf("README.md:%d: %v", block.line, err)
			}
			if err := json.Unmarshal([]byte(given), &got); err != nil || !reflect.DeepEqual(got, want) {
				t.Errorf("README.md:%d: the answer is\n%s\nwant\n%s", block.line, given, block.text)
			}
			given = ""
			continue
		case "text", "go", "proto":
			continue
		default:
			t.Errorf("README.md:%d: what to do with a block of %q?", block.line, block.language)
		}
		if strings.Contains(given, `"errors"`) {
			t.Logf("README.md:%d answers with errors", block.line)
		}
	}
	t.Logf("%d blocks ran", ran)
	if ran < 5 {
		t.Errorf("%d blocks ran, want at least 5", ran)
	}
	if s == nil {
		t.Fatal("the README starts no server")
	}
	s.mustStop(t)
}
