//go:build system

// The tests in this file build and run the server and run DuckDB, so they have the tag system: make test-system runs them.
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/goalgraph/goalgraph/model/store/storetest"
)

// Two runs at a tiny size on the same data. A run fails if the systems differ.
func TestRun(t *testing.T) {
	o := options{sessions: 600, days: 3, questions: 2, seed: 5, dir: folderForAll(t), server: filepath.Join(t.TempDir(), "goalgraph"), duckdb: "duckdb", duration: 500 * time.Millisecond}
	if out, err := exec.Command("go", "build", "-o", o.server, "..").CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	var first, second bytes.Buffer
	for n, out := range []*bytes.Buffer{&first, &second} {
		if err := run(t.Context(), o, out); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		if again := strings.Contains(out.String(), "holds "); again != (n == 1) {
			t.Errorf("run %d filled: %t", n, !again)
		}
		lines := strings.Split(strings.TrimSpace(out.String()), "\n")
		var r result
		if err := json.Unmarshal([]byte(lines[len(lines)-1]), &r); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		if r.Sessions != o.sessions || r.ColdMatrix.Millis <= 0 || r.ColdMatrix.VsDuckDB <= 0 || r.FreshProcess <= 0 || r.Pages.Millis <= 0 || r.PagesAfter.VsPostgres <= 0 || r.Places.VsDuckDB <= 0 || r.ResidentMB <= 0 || r.MatrixPerSecond <= 0 {
			t.Errorf("%+v", r)
		}
	}
}

// Two tiny sizes: each is counted to the last session and visitor.
func TestScale(t *testing.T) {
	o := options{sessions: 600, days: 3, questions: 2, seed: 5, dir: folderForAll(t), server: filepath.Join(t.TempDir(), "goalgraph"), scale: "600, 2400"}
	if out, err := exec.Command("go", "build", "-o", o.server, "..").CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	var out bytes.Buffer
	if err := scale(t.Context(), o, &out); err != nil {
		t.Fatalf("%v\n%s", err, &out)
	}
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	var r scaleResult
	if err := json.Unmarshal([]byte(lines[len(lines)-1]), &r); err != nil || len(r.Points) != 2 {
		t.Fatalf("%v\n%s", err, &out)
	}
	for i, p := range r.Points {
		for _, figure := range scaleFigures {
			if figure.of(p) <= 0 {
				t.Errorf("%s at %d sessions is %v", figure.name, p.Sessions, figure.of(p))
			}
		}
		if want := []int{600, 2400}[i]; p.Sessions != want {
			t.Errorf("%d sessions, want %d", p.Sessions, want)
		}
	}
	if left, err := filepath.Glob(filepath.Join(o.dir, "scale")); err != nil || len(left) > 0 {
		t.Errorf("%v is left, %v", left, err)
	}
}

// The baselines answer like a naive scan of the generated sessions. compare shows a difference with its question.
func TestBaselinesAgreeWithANaiveScan(t *testing.T) {
	ctx, database, files := t.Context(), storetest.PostgreSQL(t), t.TempDir()
	g := newGenerator(4, 800, 3)
	if err := fill(ctx, g, database, files, io.Discard); err != nil {
		t.Fatal(err)
	}
	if err := installDuckDB("duckdb"); err != nil {
		t.Fatal(err)
	}
	e := &encoder{generator: g, site: 1}
	d, err := openDuckDB("duckdb", filepath.Join(t.TempDir(), "test.duckdb"), e)
	if err != nil {
		t.Fatal(err)
	}
	defer d.close()
	if err := d.load(files); err != nil {
		t.Fatal(err)
	}
	p, err := openPostgres(ctx, database, e)
	if err != nil {
		t.Fatal(err)
	}
	defer p.conn.Close(context.Background())
	asker := newAsker(g)
	b := &bench{generator: g}
	newest := 2
	for _, q := range asker.questions(12) {
		for _, day := range []*int{nil, &newest} {
			want := naive(g, q, day)
			for _, system := range []sqlSystem{p, d} {
				got, _, err := system.matrix(ctx, q, day)
				if err != nil {
					t.Fatal(err)
				}
				if err := b.compare(q, want, system, got); err != nil {
					t.Error(err)
				}
				want.Conversions[1][2]++
				if err := b.compare(q, want, system, got); err == nil || !strings.Contains(err.Error(), q.goal[2].String()) {
					t.Errorf("a difference is told as %v", err)
				}
				want.Conversions[1][2]--
				one, _, err := system.one(ctx, q.one)
				if alone := naive(g, question{segments: []definition{q.one}, goal: q.goal}, nil); err != nil || one != alone.Sessions[0] {
					t.Errorf("%s counts %d of %s, want %d: %v", system.name(), one, q.one, alone.Sessions[0], err)
				}
			}
		}
	}
}

func naive(g *generator, q question, only *int) answer {
	a := newAnswer(len(q.segments), len(q.goal))
	for day := range g.perDay {
		if only != nil && day != *only {
			continue
		}
		for _, s := range g.day(day) {
			mask := 0
			for i, d := range slices.Concat(q.segments, q.goal) {
				if !slices.ContainsFunc(d.conditions, func(c condition) bool { return !c.matches(&s) }) {
					mask |= 1 << i
				}
			}
			a.foldMask(mask, 1)
		}
	}
	return a
}

// matches reports whether a session matches the condition.
func (c condition) matches(s *codedSession) bool {
	var has bool
	switch single := map[field]int{country: s.country, referrer: s.referrer, browser: s.browser, device: s.device, source: s.source, medium: s.medium, campaign: s.campaign}; c.field {
	case pages, tags, events:
		set := map[field][]int{pages: s.pages, tags: s.tags, events: s.events}[c.field]
		has = slices.ContainsFunc(set, func(n int) bool { return slices.Contains(c.any, n) })
	case length:
		has = c.min <= int(s.length) && int(s.length) <= c.max
	case views:
		has = c.min <= s.pageViews && s.pageViews <= c.max
	default:
		has = slices.Contains(c.any, single[c.field])
	}
	return has != c.not
}

// folderForAll returns a folder that PostgreSQL, which does not run as root, can enter.
func folderForAll(t *testing.T) string {
	parent := ""
	if os.Geteuid() == 0 {
		parent = "/tmp"
	}
	dir, err := os.MkdirTemp(parent, "goalgraph-bench-test-")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}
