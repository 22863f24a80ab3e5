//go:build system

// The tests in this file run the server, npm packages and Chromium, so they have the tag system: see main_test.go.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/goalgraph/goalgraph/model/store/storetest"
	"github.com/goalgraph/goalgraph/server/browsertest"
	"github.com/goalgraph/goalgraph/server/nodetest"
)

// livetest is the folder of real clients. Its packages are installed once.
const livetest = "livetest"

// The clients that people use find the server to be as their protocols say, at both of its paths.
func TestSubscriptionProtocols(t *testing.T) {
	t.Parallel()
	nodetest.Install(t, livetest)
	for _, path := range graphqlPaths {
		t.Run(path, func(t *testing.T) {
			t.Parallel()
			database := storetest.SQLite(t)
			mustKey(t, database) // makes the site
			s := mustServe(t, "--database", database)
			s.mustAsk(t, fmt.Sprintf(`mutation { createGoal(input: { siteId: %q, key: "buy", name: "Buy" }) { goal { id } } }`, s.siteID(t)))
			node := exec.CommandContext(t.Context(), "node", "conformance.mjs", s.url, path, s.siteID(t))
			node.Dir = livetest
			var problems output
			node.Stderr = &problems
			out, err := node.Output()
			if err != nil {
				t.Fatalf("%v\n%s%s", err, out, &problems)
			}
			ran := 0
			for line := range strings.Lines(string(out)) {
				var test struct{ Name, Problem string }
				if err := json.Unmarshal([]byte(line), &test); err != nil {
					t.Fatalf("%v: %s", err, line)
				}
				ran++
				if test.Problem != "" {
					t.Errorf("%s: %s", test.Name, test.Problem)
				}
			}
			if ran < 30 {
				t.Errorf("%d cases ran:\n%s%s", ran, out, &problems)
			}
			s.mustStop(t)
		})
	}
}

// The script of the docs shows cards, and again when something happened.
func TestSubscriptionScript(t *testing.T) {
	t.Parallel()
	nodetest.Install(t, livetest)
	script := ""
	for _, block := range readmeBlocks(t, "../docs/subscriptions.md") {
		if block.file == "cards.mjs" {
			script = block.text
		}
	}
	if script == "" {
		t.Fatal("the docs have no cards.mjs")
	}
	s := mustServe(t, "--sample")
	folder := t.TempDir()
	script = strings.ReplaceAll(script, "localhost:8080", strings.TrimPrefix(s.url, "http://"))
	if err := os.WriteFile(filepath.Join(folder, "cards.mjs"), []byte(script), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(mustAbs(t, filepath.Join(livetest, "node_modules")), filepath.Join(folder, "node_modules")); err != nil {
		t.Fatal(err)
	}
	node := exec.CommandContext(t.Context(), "node", "cards.mjs")
	node.Dir = folder
	var problems output
	node.Stderr = &problems
	out, err := node.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := node.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	want := func(text string) {
		t.Helper()
		for lines.Scan() {
			if lines.Text() == text {
				return
			}
		}
		t.Fatalf("it does not write %q: %v\n%s", text, lines.Err(), &problems)
	}
	want("All: 980 of 2347 sessions: Read the blog")
	s.mustTrack(t, "www.semicomplete.com", "/v1/page", page("visitor", "/blog/"))
	want("All: 981 of 2348 sessions: Read the blog")
	if err := node.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = node.Wait() // it was killed
}

// A message that is tracked changes the number on the page, and the page goes on when
// the server was away.
func TestSubscriptionPage(t *testing.T) {
	t.Parallel()
	database := storetest.SQLite(t)
	s := mustServe(t, "--sample", "--database", database)
	browser := browsertest.Open(t, s.url+"/live-example")
	shows := func(text string) {
		t.Helper()
		browser.Await(fmt.Sprintf(`[...document.querySelectorAll("td")].some((cell) => cell.textContent === %q)`, text))
	}
	shows("980 of 2347")
	s.mustTrack(t, "www.semicomplete.com", "/v1/page", page("visitor", "/blog/"))
	shows("981 of 2348")
	browser.Do(`document.querySelector("button").click()`)
	shows("982 of 2349")
	address := strings.TrimPrefix(s.url, "http://")
	s.mustStop(t)
	browser.Await(`document.querySelector("#state").textContent.startsWith("not connected")`)
	again := program(t, "serve", "--auth", "none", "--sample", "--database", database, "--listen", address).mustServe(t)
	browser.Await(`document.querySelector("#state").textContent === "live"`)
	again.mustTrack(t, "www.semicomplete.com", "/v1/page", page("another", "/blog/"))
	shows("983 of 2350")
	if text, err := os.ReadFile("app/liveexample/page.html"); err != nil || strings.Count(string(text), "\n") >= 100 {
		t.Errorf("the example has %d lines; %v", strings.Count(string(text), "\n"), err)
	}
	if a := mustServe(t).get(t, "/live-example"); a.status != 404 {
		t.Errorf("without the sample it is served with %d", a.status)
	}
}
