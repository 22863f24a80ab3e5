//go:build system

// The tests in this file build plugins and run npm and the server, so they have the tag system: see main_test.go.
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/goalgraph/goalgraph/plugins/check"
	"github.com/goalgraph/goalgraph/server/nodetest"
)

// mustMakeExamples builds the example plugins into a folder as their READMEs say.
func mustMakeExamples(t *testing.T) (folder string) {
	t.Helper()
	folder = t.TempDir()
	build := exec.Command("go", "build", "-o", filepath.Join(folder, "paidtraffic"), "../plugins/examples/paidtraffic")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v: %v\n%s", build, err, out)
	}
	example := mustAbs(t, "../plugins/examples/searchengine")
	nodetest.Install(t, example)
	node, err := exec.LookPath("node")
	if err != nil {
		t.Fatal(err)
	}
	wrapper := fmt.Sprintf("#!/bin/sh\nexec %q %q\n", node, filepath.Join(example, "searchengine.mjs"))
	if err := os.WriteFile(filepath.Join(folder, "searchengine"), []byte(wrapper), 0o755); err != nil {
		t.Fatal(err)
	}
	return folder
}

// The examples pass the test that every plugin must pass, and their filters count
// right: beside built-in filters that say the same, and by hand.
func TestExamples(t *testing.T) {
	t.Parallel()
	folder := mustMakeExamples(t)
	for _, example := range []string{"paidtraffic", "searchengine"} {
		p := program(t, "plugin", "check", "--json", filepath.Join(folder, example)).mustRun(t, done)
		var report check.Report
		if err := json.Unmarshal([]byte(p.stdout.String()), &report); err != nil {
			t.Fatalf("%s: %v\n%s", example, err, &p.stdout)
		}
		if report.Findings() > 0 || report.Plugin != example || len(report.Results) < 10 {
			t.Errorf("%s: %s", example, &p.stdout)
		}
	}
	p := program(t, "plugin", "check", filepath.Join(folder, "paidtraffic")).mustRun(t, done)
	for _, line := range []string{"paidtraffic 1.0.0\n", "\npaidTraffic\n  ok      description  PaidTrafficFilter: source\n", "\n  ok      end          it ends "} {
		if !strings.Contains(p.stdout.String(), line) {
			t.Errorf("the report does not say %q:\n%s", line, &p.stdout)
		}
	}

	s := program(t, "serve", "--auth", "none", "--listen", "127.0.0.1:0", "--plugins", folder)
	site := mustWriteFile(t, "visits.jsonl", visits(
		`"source": "google", "medium": "cpc"`, `"source": "google", "medium": "cpc"`, `"source": "bing", "medium": "ppc"`,
		`"source": "t.co", "medium": "paid_social"`, `"source": "google", "medium": "organic"`, `"medium": "unpaid"`, ``,
	))
	imported := program(t, "import", "--site", "shop.example", "--format", "messages", site)
	imported.Dir = s.Dir
	imported.mustRun(t, done)
	imported = program(t, "import", "--site", "www.semicomplete.com", mustAbs(t, sampleFile))
	imported.Dir = s.Dir
	imported.mustRun(t, done)
	running := s.mustServe(t)
	for _, test := range []struct {
		site, filter string
		want         int
		// same is a built-in filter that counts the same; empty for none.
		same string
	}{
		{"shop.example", `{ paidTraffic: {} }`, 4, ""},
		{"shop.example", `{ paidTraffic: { source: "google" } }`, 2, ""},
		{"shop.example", `{ paidTraffic: { source: ["google", "bing"] } }`, 3, ""},
		{"shop.example", `{ paidTraffic: { source: ["google", "bing"] } }, { paidTraffic: { source: ["bing", "t.co"] } }`, 1, ""},
		{"shop.example", `{ paidTraffic: { source: "google" } }, { paidTraffic: { source: "bing" } }`, 0, ""},
		{"www.semicomplete.com", `{ searchEngine: { is: BING } }`, 0, `{ referrer: { is: ["bing.com", "*.bing.com"] } }`},
		{"www.semicomplete.com", `{ searchEngine: { is: [DUCKDUCKGO, BING] } }, { searchEngine: { is: [BING, ECOSIA] } }`, 0, `{ referrer: { is: ["bing.com", "*.bing.com"] } }`},
		{"www.semicomplete.com", `{ searchEngine: { is: [BING] } }, { searchEngine: { is: [GOOGLE] } }`, 0, ""},
	} {
		count := func(filter string) (n int) {
			data := running.mustAsk(t, fmt.Sprintf(`{ site(domain: %q) { sessionCount(filters: [%s], range: { from: "2000-01-01T00:00:00Z" }) } }`, test.site, filter))
			if _, err := fmt.Sscanf(data, `{"site":{"sessionCount":%d}}`, &n); err != nil {
				t.Fatalf("%s: %v: %s", filter, err, data)
			}
			return n
		}
		if test.same != "" {
			if test.want = count(test.same); test.want == 0 {
				t.Errorf("%s counts nothing, which shows nothing", test.same)
			}
		}
		if n := count(test.filter); n != test.want {
			t.Errorf("%s counts %d, want %d", test.filter, n, test.want)
		}
	}
	running.mustStop(t)
}

// visits returns a message for a page view of each campaign, of a visitor each.
func visits(campaigns ...string) string {
	var b strings.Builder
	for i, campaign := range campaigns {
		fmt.Fprintf(&b, `{"type": "page", "messageId": "m%d", "anonymousId": "v%d", "timestamp": "2026-01-01T10:00:00Z", "name": "/", "properties": {"path": "/"}, "context": {"campaign": {%s}}}`+"\n", i, i, campaign)
	}
	return b.String()
}
