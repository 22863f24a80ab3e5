//go:build system

// The tests in this file run the server, so they have the tag system: see main_test.go.
package main

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/goalgraph/goalgraph/model/store/storetest"
	"github.com/goalgraph/goalgraph/model/store/storetest/servers"
	"github.com/goalgraph/goalgraph/server/ingest"
)

var wholeSample = ingest.Summary{Format: "combined", Lines: sampleLines, Messages: samplePageViews, Ignored: sampleLines - samplePageViews, Visitors: sampleVisitors, Sessions: sampleSessions}

// closing returns the line that an import ends with.
func closing(s ingest.Summary) string {
	return fmt.Sprintf(`{"format":%q,"lines":%d,"messages":%d,"duplicates":%d,"rejected":%d,"bots":%d,"ignored":%d,"visitors":%d,"sessions":%d}`+"\n",
		s.Format, s.Lines, s.Messages, s.Duplicates, s.Rejected, s.Bots, s.Ignored, s.Visitors, s.Sessions)
}

func TestImportTheSample(t *testing.T) {
	t.Parallel()
	storetest.Databases(t, func(t *testing.T, database string) {
		t.Parallel()
		again := wholeSample
		again.Duplicates = samplePageViews
		for _, want := range []ingest.Summary{wholeSample, again} {
			p := program(t, "import", "--database", database, "--bots", "include", mustAbs(t, sampleFile)).mustRun(t, done)
			if p.stdout.String() != closing(want) {
				t.Errorf("it ends with %s, want %s", &p.stdout, closing(want))
			}
			if strings.Contains(p.stderr.String(), "importing") {
				t.Errorf("a bar was drawn on what is no terminal: %s", &p.stderr)
			}
		}
		without := mustImport(t, database, "--site", "other.example", mustAbs(t, sampleFile))
		if without.Bots == 0 || without.Messages+without.Bots != samplePageViews || without.Sessions >= sampleSessions {
			t.Errorf("without crawlers: %+v", without)
		}
		// With two sites it must be said which one.
		p := program(t, "import", "--database", database, mustAbs(t, sampleFile)).mustRun(t, wrongUsage)
		if said := p.stderr.String(); !strings.Contains(said, "--site") || !strings.Contains(said, "other.example") {
			t.Errorf("it says %s", said)
		}
		if got := mustImport(t, database, "--site", "LOCALHOST", "--bots", "include", mustAbs(t, sampleFile)); got != again {
			t.Errorf("by name: %+v, want %+v", got, again)
		}
	})
}

func TestImportSources(t *testing.T) {
	t.Parallel()
	text := sampleText(t)
	halves := splitLog(text)
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	fmt.Fprint(z, halves[1])
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	first, second := mustWriteFile(t, "first.log", halves[0]), mustWriteFile(t, "second.log.gz", packed.String())
	for name, test := range map[string]struct {
		stdin string
		files []string
	}{
		"standard input":           {text, []string{"-"}},
		"several files":            {"", []string{first, second}},
		"in the other order":       {"", []string{second, first}},
		"a file, then the other":   {halves[1], []string{first, "-"}},
		"packed on standard input": {packed.String(), []string{"-", first}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := program(t, append([]string{"import", "--bots", "include"}, test.files...)...)
			p.Stdin = strings.NewReader(test.stdin)
			p.mustRun(t, done)
			if got := summaryOf(t, p); got != wholeSample {
				t.Errorf("%+v, want %+v", got, wholeSample)
			}
		})
	}
}

func TestImportMessages(t *testing.T) {
	t.Parallel()
	messages := mustWriteFile(t, "messages.jsonl", strings.Join([]string{
		`{"type":"page","messageId":"m1","anonymousId":"ann","timestamp":"2026-01-05T10:00:00Z","properties":{"path":"/pricing"}}`,
		`{"type":"track","messageId":"m2","anonymousId":"ann","timestamp":"2026-01-05T10:01:00Z","event":"signup"}`,
		`{"type":"track","messageId":"m2","anonymousId":"ann","timestamp":"2026-01-05T10:01:00Z","event":"signup"}`,
		`{"type":"tra`,
		`{"type":"page","messageId":"m3","anonymousId":"bob","timestamp":"2026-01-05T11:00:00Z","properties":{"path":"/"}}`,
	}, "\n"))
	p := program(t, "import", "--format", "messages", "--site", "shop.example", messages).mustRun(t, done)
	if want := (ingest.Summary{Format: "messages", Lines: 5, Messages: 4, Duplicates: 1, Rejected: 1, Visitors: 2, Sessions: 2}); summaryOf(t, p) != want {
		t.Errorf("%s, want %+v", &p.stdout, want)
	}
	if said := p.stderr.String(); !strings.Contains(said, messages+":4: ") {
		t.Errorf("line 4 is not named: %s", said)
	}
}

func TestImportNamesRejectedLines(t *testing.T) {
	t.Parallel()
	lines := strings.SplitAfter(sampleText(t), "\n")[:100]
	lines[6], lines[41] = "what is this\n", "\x00\xff\xfe broken\n"
	log := mustWriteFile(t, "access.log", strings.Join(lines, ""))
	p := program(t, "import", "--bots", "include", log).mustRun(t, done)
	if got := summaryOf(t, p); got.Lines != 100 || got.Rejected != 2 || got.Messages+got.Ignored != 98 {
		t.Errorf("%+v", got)
	}
	for _, where := range []string{log + ":7: ", log + ":42: "} {
		if !strings.Contains(p.stderr.String(), where) {
			t.Errorf("standard error does not name %s\n%s", where, &p.stderr)
		}
	}
}

// What can not be imported is said, and leaves no site that looks like one.
func TestImportRefuses(t *testing.T) {
	t.Parallel()
	packed, err := os.ReadFile(sampleFile)
	if err != nil {
		t.Fatal(err)
	}
	noise := make([]byte, 200_000)
	r := rand.New(rand.NewPCG(1, 2))
	for i := range noise {
		noise[i] = byte(r.Uint32())
	}
	sample := mustAbs(t, sampleFile)
	storetest.Databases(t, func(t *testing.T, database string) {
		for name, test := range map[string]struct {
			args []string
			says string
		}{
			"missing":         {[]string{"no.log"}, "no.log: no such file"},
			"second missing":  {[]string{sample, "no.log"}, "no.log: no such file"},
			"folder":          {[]string{t.TempDir()}, "is a directory"},
			"rubbish":         {[]string{mustWriteFile(t, "rubbish.log", string(noise))}, "rubbish.log is in no known format"},
			"no gzip":         {[]string{mustWriteFile(t, "text.log.gz", "plain text\n")}, "gzip"},
			"no messages":     {[]string{"--format", "messages", sample}, "is not"},
			"broken packing":  {[]string{mustWriteFile(t, "broken.gz", string(packed[:100])+string(noise))}, "broken.gz"},
			"missing mmdb":    {[]string{"--geoip", "no.mmdb", sample}, "no.mmdb"},
			"mmdb of nothing": {[]string{"--geoip", mustAbs(t, "main.go"), sample}, "main.go"},
		} {
			p := program(t, append([]string{"import", "--database", database}, test.args...)...).mustRun(t, failed)
			if said := p.stderr.String(); !strings.Contains(said, test.says) {
				t.Errorf("%s: it says %q, want something about %q", name, said, test.says)
			}
			if p.stdout.String() != "" {
				t.Errorf("%s: standard output: %s", name, &p.stdout)
			}
		}
		program(t, "migrate", "up", "--database", database).mustRun(t, done)
		db := openSQL(t, database)
		if sites, sessions := number(t, db, "SELECT count(*) FROM sites"), number(t, db, "SELECT count(*) FROM sessions"); sites+sessions != 0 {
			t.Errorf("%d sites and %d sessions were made", sites, sessions)
		}
	})
}

func TestImportATruncatedFile(t *testing.T) {
	t.Parallel()
	packed, err := os.ReadFile(sampleFile)
	if err != nil {
		t.Fatal(err)
	}
	truncated := mustWriteFile(t, "truncated.gz", string(packed[:len(packed)/2]))
	storetest.Databases(t, func(t *testing.T, database string) {
		p := program(t, "import", "--database", database, "--bots", "include", truncated).mustRun(t, failed)
		for _, text := range []string{"truncated.gz is truncated: it ends early, after line ", "the lines read so far are kept"} {
			if !strings.Contains(p.stderr.String(), text) {
				t.Errorf("it does not say %q: %s", text, &p.stderr)
			}
		}
		kept := number(t, openSQL(t, database), "SELECT count(*) FROM messages WHERE id_low <> 0")
		want := wholeSample
		want.Duplicates = kept
		if got := mustImport(t, database, "--bots", "include", mustAbs(t, sampleFile)); got != want || kept == 0 {
			t.Errorf("the whole file after it: %+v, want %+v", got, want)
		}
	})
}

// virtualHosts is a log of two hosts, five visitors of each, and of one stray line.
func virtualHosts() string {
	var log strings.Builder
	for i := range 200 {
		host := []string{"shop.example", "www.blog.example"}[i%2]
		fmt.Fprintf(&log, `%s:443 203.0.113.%d - - [17/May/2015:10:%02d:%02d +0000] "GET /%d HTTP/1.1" 200 5 "-" "Mozilla/5.0 (X11; Linux x86_64; rv:120.0) Gecko/20100101 Firefox/120.0"`+"\n", host, i%10, i/60, i%60, i)
	}
	fmt.Fprintln(&log, `stray.example:443 203.0.113.7 - - [17/May/2015:10:05:03 +0000] "GET / HTTP/1.1" 200 5 "-" "Mozilla/5.0 (X11; Linux x86_64; rv:120.0) Gecko/20100101 Firefox/120.0"`)
	return log.String()
}

// The host of a line chooses its site, which is made where it is missing.
func TestImportVirtualHosts(t *testing.T) {
	t.Parallel()
	log := mustWriteFile(t, "other_vhosts_access.log", virtualHosts())
	storetest.Databases(t, func(t *testing.T, database string) {
		t.Parallel()
		want := ingest.Summary{Format: "vhost_combined", Lines: 201, Messages: 200, Ignored: 1, Visitors: 10, Sessions: 10}
		p := program(t, "import", "--database", database, log).mustRun(t, done)
		if got := summaryOf(t, p); got != want {
			t.Errorf("%+v, want %+v", got, want)
		}
		for _, says := range []string{
			"other_vhosts_access.log: an access log in the vhost_combined format\n", "host www.blog.example, 100 of the first 201 page views: to a new site, blog.example\n",
			"ignored page views of hosts that no site has: stray.example (1);",
		} {
			if !strings.Contains(p.stderr.String(), says) {
				t.Errorf("it does not say %q: %s", says, &p.stderr)
			}
		}
		want.Duplicates = 200
		if got := mustImport(t, database, log); got != want {
			t.Errorf("again: %+v, want %+v", got, want)
		}
		db := openSQL(t, database)
		if n := number(t, db, "SELECT count(*) FROM sites"); n != 2 {
			t.Errorf("%d sites, want 2", n)
		}
		all := ingest.Summary{Format: "vhost_combined", Lines: 201, Messages: 201, Visitors: 10, Sessions: 10}
		if got := mustImport(t, database, "--site", "all.example", log); got != all {
			t.Errorf("into one site: %+v, want %+v", got, all)
		}
	})
}

func TestImportDryRun(t *testing.T) {
	t.Parallel()
	p := program(t, "import", "--dry-run", "--bots", "include", mustAbs(t, sampleFile)).mustRun(t, done)
	said := p.stdout.String()
	for _, says := range []string{"an access log in the combined format\n", "first  2015-05-17 10:05:03 UTC\nlast   2015-05-20 21:05:59 UTC\n", "COUNT  REFERRER\n", closing(wholeSample)} {
		if !strings.Contains(said, says) {
			t.Errorf("it does not say %q: %s", says, said)
		}
	}
	if !strings.HasSuffix(said, "\n"+closing(wholeSample)) {
		t.Errorf("it does not end with the summary: %s", said)
	}
	if files, err := os.ReadDir(p.Dir); err != nil || len(files) > 0 {
		t.Errorf("it left %v, %v", files, err)
	}
	program(t, "import", "--dry-run", "--database", "postgres://nobody@127.0.0.1:1/none", mustAbs(t, sampleFile)).mustRun(t, done)
}

func TestImportKeepsGoing(t *testing.T) {
	t.Parallel()
	log := mustWriteFile(t, "mixed.log", strings.Repeat("what is this\n", 200)+sampleText(t))
	database := storetest.SQLite(t)
	p := program(t, "import", "--database", database, log).mustRun(t, failed)
	if said := p.stderr.String(); !strings.Contains(said, `200 of its first 1000 lines cannot be read, for example line 1, "what is this": `) || !strings.Contains(said, "--keep-going") {
		t.Errorf("it says %s", said)
	}
	want := wholeSample
	want.Lines, want.Rejected = want.Lines+200, 200
	if got := mustImport(t, database, "--bots", "include", "--keep-going", log); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
}

func TestImportFindsCountries(t *testing.T) {
	t.Parallel()
	var log strings.Builder
	for _, address := range []string{"81.2.69.142", "2001:218::1", "127.0.0.1"} {
		fmt.Fprintf(&log, `%s - - [17/May/2015:10:05:03 +0000] "GET / HTTP/1.1" 200 5 "-" "Mozilla/5.0 (X11; Linux x86_64; rv:120.0) Gecko/20100101 Firefox/120.0"`+"\n", address)
	}
	database := storetest.SQLite(t)
	mustImport(t, database, "--geoip", mustAbs(t, "ingest/testdata/GeoLite2-Country-Test.mmdb"), mustWriteFile(t, "access.log", log.String()))
	db := openSQL(t, database)
	for country, want := range map[string]int{"GB": 1, "JP": 1, "": 1} {
		if got := number(t, db, "SELECT count(*) FROM sessions WHERE country = '"+country+"'"); got != want {
			t.Errorf("%d sessions from %q, want %d", got, country, want)
		}
	}
}

func TestImportStopsWhenTold(t *testing.T) {
	t.Parallel()
	p := program(t, "import", "-")
	stdin, err := p.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	p.mustStart(t)
	if _, err := fmt.Fprint(stdin, sampleText(t)); err != nil { // and no end
		t.Fatal(err)
	}
	if err := p.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if code := p.result(t); code != failed || !strings.Contains(p.stderr.String(), "import stopped") {
		t.Errorf("exit code %d: %s", code, &p.stderr)
	}
}

// Killed at any point and started again, an import ends with the same sessions.
func TestImportKilled(t *testing.T) {
	t.Parallel()
	const copies = 6
	log := longLog(t, copies)
	want := wholeSample
	want.Lines, want.Messages, want.Ignored, want.Sessions = want.Lines*copies, want.Messages*copies, want.Ignored*copies, want.Sessions*copies
	for name, newDatabase := range map[string]func(testing.TB) string{"sqlite": storetest.SQLite, "postgresql": storetest.PostgreSQL} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			undisturbed := newDatabase(t)
			if got := mustImport(t, undisturbed, "--bots", "include", log); got != want {
				t.Fatalf("%+v, want %+v", got, want)
			}
			wantContents := contents(t, undisturbed)

			disturbed := newDatabase(t)
			program(t, "migrate", "up", "--database", disturbed).mustRun(t, done)
			db := openSQL(t, disturbed)
			messages := func() int { return number(t, db, "SELECT count(*) FROM messages WHERE id_low <> 0") }
			r := rand.New(rand.NewPCG(5, 6))
			killed := []int{}
			for range 3 {
				before := messages()
				enough := before + 1 + r.IntN(samplePageViews*copies/5)
				p := program(t, "import", "--database", disturbed, "--bots", "include", log).mustStart(t)
				await(t, fmt.Sprintf("%d messages", enough), func() bool { return messages() >= enough })
				if err := p.Process.Kill(); err != nil {
					t.Fatal(err)
				}
				if code := p.result(t); code != -1 {
					t.Fatalf("the import ended by itself, with exit code %d, after %d messages", code, enough)
				}
				killed = append(killed, messages())
			}
			t.Logf("killed after %d of %d messages", killed, want.Messages)
			want := want
			want.Duplicates = messages()
			if got := mustImport(t, disturbed, "--bots", "include", log); got != want {
				t.Errorf("%+v, want %+v", got, want)
			}
			equalContents(t, contents(t, disturbed), wantContents)
		})
	}
}

// splitLog returns a log's even and odd seconds, so that the halves share
// sessions, and lines that are equal, whose number counts, stay together.
func splitLog(text string) (halves [2]string) {
	var parts [2]strings.Builder
	for line := range strings.Lines(text) {
		_, rest, _ := strings.Cut(line, "[")
		second, _, _ := strings.Cut(rest, " ")
		parts[second[len(second)-1]%2].WriteString(line)
	}
	return [2]string{parts[0].String(), parts[1].String()}
}

// Two processes that import a half each at once end with the sessions of the whole.
func TestImportHalvesAtOnce(t *testing.T) {
	t.Parallel()
	const copies = 3
	log := longLog(t, copies)
	text, err := os.ReadFile(log)
	if err != nil {
		t.Fatal(err)
	}
	halves := splitLog(string(text))
	for name, newDatabase := range map[string]func(testing.TB) string{"sqlite": storetest.SQLite, "postgresql": storetest.PostgreSQL} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			whole, both := newDatabase(t), newDatabase(t)
			mustImport(t, whole, "--bots", "include", log)
			var importing [2]*process
			for i := range halves {
				importing[i] = program(t, "import", "--database", both, "--bots", "include", mustWriteFile(t, "half.log", halves[i])).mustStart(t)
			}
			kept := 0
			for _, p := range importing {
				if code := p.result(t); code != done {
					t.Fatalf("exit code %d: %s", code, &p.stderr)
				}
				kept += summaryOf(t, p).Messages
			}
			if want := samplePageViews * copies; kept != want {
				t.Errorf("%d messages, want %d", kept, want)
			}
			equalContents(t, contents(t, both), contents(t, whole))
		})
	}
}

// smallDisk mounts a file system of so many MB, which only root may do.
func smallDisk(t *testing.T, size int) string {
	t.Helper()
	folder := t.TempDir()
	if out, err := exec.Command("mount", "-t", "tmpfs", "-o", fmt.Sprintf("size=%dm,mode=0777", size), "tmpfs", folder).CombinedOutput(); err != nil {
		t.Logf("no small disk can be mounted: %v %s", err, out)
		return ""
	}
	t.Cleanup(func() {
		if out, err := exec.Command("umount", "-l", folder).CombinedOutput(); err != nil {
			t.Errorf("umount: %v %s", err, out)
		}
	})
	return folder
}

// A disk that gets full ends the import, with whole batches kept; with room again
// the same command completes it.
func TestImportOnAFullDisk(t *testing.T) {
	const copies, size = 6, 6
	log := longLog(t, copies)
	undisturbed := storetest.SQLite(t)
	whole := mustImport(t, undisturbed, "--bots", "include", log)

	check := func(t *testing.T, p *process, database, says string, makeRoom func()) {
		t.Helper()
		said := p.stderr.String()
		if !strings.Contains(said, says) || !strings.Contains(said, "import failed after") || p.stdout.String() != "" {
			t.Errorf("stdout %q, stderr %s", &p.stdout, said)
		}
		t.Log(strings.TrimSpace(said))
		makeRoom()
		kept := number(t, openSQL(t, database), "SELECT count(*) FROM messages WHERE id_low <> 0")
		if hits := number(t, openSQL(t, database), "SELECT count(*) FROM hits"); kept == 0 || kept >= whole.Messages || kept != hits {
			t.Errorf("%d messages and %d hits are kept", kept, hits)
		}
		want := whole
		want.Duplicates = kept
		if got := mustImport(t, database, "--bots", "include", log); got != want {
			t.Errorf("with room: %+v, want %+v", got, want)
		}
	}

	t.Run("sqlite", func(t *testing.T) {
		folder := smallDisk(t, size)
		if folder == "" {
			t.Skip("see TestImportOnALimitedFile")
		}
		database := "sqlite:" + filepath.Join(folder, "test.db")
		p := program(t, "import", "--database", database, "--bots", "include", log).mustRun(t, failed)
		check(t, p, database, "disk is full", func() {
			if out, err := exec.Command("mount", "-o", "remount,size=200m", folder).CombinedOutput(); err != nil {
				t.Fatalf("%v %s", err, out)
			}
		})
		equalContents(t, contents(t, database), contents(t, undisturbed))
	})

	t.Run("postgresql", func(t *testing.T) {
		folder := smallDisk(t, size+10)
		if folder == "" {
			t.Skip("only root can fill the disk of a PostgreSQL")
		}
		server, err := servers.PostgreSQL()
		if err != nil {
			t.Fatal(err)
		}
		defer server.Stop()
		db := openSQL(t, server.URL)
		space := filepath.Join(folder, "space")
		if err := os.Mkdir(space, 0o777); err != nil {
			t.Fatal(err)
		}
		for name := folder; name != "/tmp" && name != "/"; name = filepath.Dir(name) {
			if err := os.Chmod(name, 0o755); err != nil {
				t.Fatal(err)
			}
		}
		chownToPostgreSQL(t, space)
		for _, statement := range []string{"CREATE TABLESPACE small LOCATION '" + space + "'", "CREATE DATABASE small TABLESPACE small"} {
			if _, err := db.ExecContext(context.Background(), statement); err != nil {
				t.Fatal(err)
			}
		}
		database := strings.Replace(server.URL, "/postgres?", "/small?", 1)
		p := program(t, "import", "--database", database, "--bots", "include", log).mustRun(t, failed)
		check(t, p, database, "disk is full", func() {
			if out, err := exec.Command("mount", "-o", "remount,size=400m", folder).CombinedOutput(); err != nil {
				t.Fatalf("%v %s", err, out)
			}
		})
	})
}

// chownToPostgreSQL gives a folder to the user that a server started by root runs as.
func chownToPostgreSQL(t *testing.T, folder string) {
	t.Helper()
	for _, user := range []string{"postgres", "nobody"} {
		if exec.Command("chown", user, folder).Run() == nil {
			return
		}
	}
	t.Fatalf("%s can be given to neither postgres nor nobody", folder)
}

// A limit on the size of files stands for a full disk where none can be mounted.
func TestImportOnALimitedFile(t *testing.T) {
	t.Parallel()
	log := longLog(t, 4)
	p := program(t)
	database := "sqlite:" + filepath.Join(p.Dir, "test.db")
	// 4,096 blocks of 512 bytes, or of 1,024.
	p.Path, p.Args = "/bin/sh", []string{"sh", "-c", `ulimit -f 4096; trap '' XFSZ; exec "$0" "$@"`, binary, "import", "--database", database, "--bots", "include", log}
	p.mustRun(t, failed)
	if said := p.stderr.String(); !strings.Contains(said, "import failed after") || p.stdout.String() != "" {
		t.Errorf("stdout %q, stderr %s", &p.stdout, said)
	}
	undisturbed := storetest.SQLite(t)
	want := mustImport(t, undisturbed, "--bots", "include", log)
	want.Duplicates = number(t, openSQL(t, database), "SELECT count(*) FROM messages WHERE id_low <> 0")
	if got := mustImport(t, database, "--bots", "include", log); got != want {
		t.Errorf("without the limit: %+v, want %+v", got, want)
	}
	equalContents(t, contents(t, database), contents(t, undisturbed))
}

// A database that takes no writes says so; nothing changes.
func TestImportIntoAReadOnlyDatabase(t *testing.T) {
	t.Parallel()
	t.Run("sqlite", func(t *testing.T) {
		t.Parallel()
		folder := smallDisk(t, 50)
		if folder == "" {
			folder = t.TempDir()
		}
		database := "sqlite:" + filepath.Join(folder, "test.db")
		mustImport(t, database, "--site", "first.example", mustWriteFile(t, "one.log", firstLine(t)))
		if os.Geteuid() == 0 { // rights do not hold root back
			if out, err := exec.Command("mount", "-o", "remount,ro", folder).CombinedOutput(); err != nil {
				t.Skipf("nothing holds root back here: %v %s", err, out)
			}
		} else {
			for _, path := range []string{filepath.Join(folder, "test.db"), folder} {
				if err := os.Chmod(path, 0o555); err != nil {
					t.Fatal(err)
				}
			}
			defer os.Chmod(folder, 0o755)
		}
		p := program(t, "import", "--database", database, mustAbs(t, sampleFile)).mustRun(t, failed)
		if said := p.stderr.String(); !strings.Contains(said, "read-only") && !strings.Contains(said, "cannot be opened") {
			t.Errorf("it says %s", said)
		}
	})
	t.Run("postgresql", func(t *testing.T) {
		t.Parallel()
		database := storetest.PostgreSQL(t)
		mustImport(t, database, mustWriteFile(t, "one.log", firstLine(t)))
		before := contents(t, database)
		p := program(t, "import", "--database", database+"&default_transaction_read_only=on", mustAbs(t, sampleFile)).mustRun(t, failed)
		if said := p.stderr.String(); !strings.Contains(said, "read-only") {
			t.Errorf("it says %s", said)
		}
		equalContents(t, contents(t, database), before)
	})
}

func firstLine(t *testing.T) string {
	line, _, _ := strings.Cut(sampleText(t), "\n")
	return line + "\n"
}

// Processes that meet an empty database at once migrate it once.
func TestMigrateAtOnce(t *testing.T) {
	t.Parallel()
	storetest.Databases(t, func(t *testing.T, database string) {
		t.Parallel()
		var all sync.WaitGroup
		applied := make([]string, 4)
		for i := range applied {
			p := program(t, "migrate", "up", "--database", database).mustStart(t)
			all.Go(func() {
				<-p.ended
				applied[i] = p.stdout.String() + p.stderr.String()
			})
		}
		all.Wait()
		slices.Sort(applied)
		if strings.Join(applied[:3], "") != strings.Repeat("applied 0\n", 3) || strings.HasPrefix(applied[3], "applied 0") {
			t.Errorf("%q: want one that applied all", applied)
		}
	})
}
