package ingest

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode"
)

// Five addresses of one host are five visitors, none rejected.
func TestVirtualHosts(t *testing.T) {
	var text strings.Builder
	for i := range 5 {
		fmt.Fprintf(&text, `shop.example:443 203.0.113.%d - - [17/May/2024:12:00:00 +0000] "GET /p HTTP/1.1" 200 12 "-" "`+firefox+"\"\n", i)
	}
	for name, around := range prefixed {
		var carried strings.Builder
		for line := range strings.Lines(text.String()) {
			carried.WriteString(around(strings.TrimSuffix(line, "\n")) + "\n")
		}
		for name, text := range map[string]string{"bare": text.String(), name: carried.String()} {
			var s sink
			got := mustImport(t, &s, Options{Files: []string{writeFile(t, "a.log", text)}})
			if _, visitors := s.visits(); visitors != 5 || got.Rejected != 0 {
				t.Errorf("%s: %d visitors: %+v", name, visitors, got)
			}
			for _, m := range s.messages {
				if m.Hit.Origin.Hostname != "shop.example" {
					t.Errorf("%s: host %q", name, m.Hit.Origin.Hostname)
				}
			}
		}
	}
}

// What a container writes beside its requests, and lines that its runtime cuts.
func TestContainers(t *testing.T) {
	docker := func(text, stream string) string {
		quoted, _ := json.Marshal(text)
		return `{"log":` + string(quoted) + `,"stream":"` + stream + `","time":"2024-05-17T12:00:00Z"}` + "\n"
	}
	long := fmt.Sprintf(`203.0.113.1 - - [17/May/2024:12:00:00 +0000] "GET /p?%s HTTP/1.1" 200 12 "-" "%s"`, strings.Repeat("x", dockerPart), firefox)
	whole := docker(logLine(1)+"\n", "stdout") +
		docker("2024/05/17 12:00:00 [notice] 1#1: start worker process 29\n", "stderr") +
		docker(long[:dockerPart], "stdout") + docker(logLine(2)+"\n", "stderr") + docker(long[dockerPart:]+"\n", "stdout")
	var s sink
	got := mustImport(t, &s, Options{Files: []string{writeFile(t, "a.log", whole)}})
	if want := (Summary{Format: "combined", Lines: 4, Messages: 3, Ignored: 1}); got != want {
		t.Errorf("Docker: %+v, want %+v", got, want)
	}
	var bare, cri sink
	mustImport(t, &bare, Options{Files: []string{writeFile(t, "a.log", logLine(1)+"\n"+long+"\n")}})
	text := "2024-05-17T12:00:00.5Z stdout F " + logLine(1) + "\n" +
		"2024-05-17T12:00:00.5Z stdout P " + long[:100] + "\n2024-05-17T12:00:00.5Z stdout P " + long[100:7000] + "\n2024-05-17T12:00:00.5Z stdout F " + long[7000:] + "\n"
	got = mustImport(t, &cri, Options{Files: []string{writeFile(t, "a.log", text)}})
	if want := (Summary{Format: "combined", Lines: 2, Messages: 2}); got != want || len(bare.messages) != 2 || cri.messages[1].Hit.ID != bare.messages[1].Hit.ID {
		t.Errorf("Kubernetes: %+v, want %+v", got, want)
	}
	endless := strings.Repeat("2024-05-17T12:00:00.5Z stdout P "+strings.Repeat("x", 64<<10)+"\n", 40) + "2024-05-17T12:00:00.5Z stdout F x\n"
	d := newTestLineDecoder(newTestDecoder(t), dialect{prefixes[1], Combined})
	for line := range strings.Lines(endless) {
		_, is, err := d.decode([]byte(strings.TrimSuffix(line, "\n")), false)
		if is == rejected && err != errTooLong || len(d.parts[0]) > maxLineBytes+1 {
			t.Fatalf("%v, %d bytes are kept", err, len(d.parts[0]))
		}
	}
	caddy := `{"level":"info","ts":1646861400.5,"logger":"admin","msg":"admin endpoint started"}` + "\n" + logSamples[9].line + "\n"
	if got := mustImport(t, &s, Options{Files: []string{writeFile(t, "a.log", caddy)}}); got.Ignored != 1 || got.Messages != 1 {
		t.Errorf("Caddy's own log: %+v", got)
	}
}

// A file that is not what it seems is refused, with an example, before anything is written.
func TestImportRefusesUnreadableFiles(t *testing.T) {
	for _, test := range []struct {
		good, bad int
		refused   bool
	}{{9, 1, false}, {2, 1, false}, {0, 1, true}, {18, 2, false}, {17, 2, true}, {900, 100, false}, {899, 101, true}} {
		text := strings.Repeat("nonsense\n", test.bad) + logLines(test.good)
		good := writeFile(t, "good.log", logLines(3))
		file := writeFile(t, "bad.log", text)
		var s sink
		_, err := Import(t.Context(), Options{Files: []string{good, file}, Format: Combined, Write: s.write})
		if (err != nil) != test.refused || test.refused && len(s.messages) > 0 {
			t.Errorf("%d of %d lines: %v, %d written", test.bad, test.good+test.bad, err, len(s.messages))
		}
		if test.refused && !strings.Contains(err.Error(), `bad.log is not an access log in the combined format: `+fmt.Sprintf("%d of its first %d", test.bad, min(1000, test.good+test.bad))) {
			t.Errorf("it says %v", err)
		}
		got, err := Import(t.Context(), Options{Files: []string{file}, Format: Combined, KeepGoing: true, Write: s.write})
		if want := (Summary{Format: "combined", Lines: test.good + test.bad, Messages: test.good, Rejected: test.bad}); err != nil || got.Rejected != want.Rejected || got.Messages != want.Messages {
			t.Errorf("kept going: %+v, %v, want %+v", got, err, want)
		}
	}
}

// What a log file says does not reach the terminal as it is: anybody may have written it.
func TestHostileLog(t *testing.T) {
	const evil = "\x1b]0;pwned\x07\u009b2J\u202e"
	escaped := `\x1b[2J` // as Apache and nginx write it
	file := writeFile(t, "a.log", strings.Repeat(logLine(1)+"\n", 20)+
		evil+" - - [17/May/2015:12:00:00 +0000] \"GET / HTTP/1.1\" 200 1 \"-\" \"UA\"\n"+
		`203.0.113.1 - - [17/May/2015:12:00:00 +0000] "GET / HTTP/1.1" 200 1 "https://a.example/`+escaped+`" "Mozilla/5.0 (X11; Linux x86_64) Firefox/120.0 `+escaped+"\"\n")
	hosts := writeFile(t, "b.log", strings.Repeat("a"+evil+`.example:80 203.0.113.1 - - [17/May/2015:12:00:00 +0000] "GET / HTTP/1.1" 200 1 "-" "`+firefox+"\"\n", 3))
	times := writeFile(t, "c.log", strings.Repeat(`{"time_iso8601":"2015-05-17T12:00:00Z","remote_addr":"203.0.113.1","request":"GET / HTTP/1.1","status":200,"http_user_agent":"UA"}`+"\n", 20)+
		`{"time_iso8601":"\u001b[2J","remote_addr":"203.0.113.1","request":"GET / HTTP/1.1","status":200,"http_user_agent":"UA"}`+"\n")
	var said strings.Builder
	for _, name := range []string{file, times} {
		plan, err := NewPlan(t.Context(), Options{Files: []string{name}, Notes: &said, IncludeBots: true})
		if err != nil {
			t.Fatal(err)
		}
		report, err := plan.DryRun(t.Context())
		if err == nil {
			err = report.Write(&said)
		}
		if err != nil {
			t.Fatal(err)
		}
		plan.Close()
	}
	if _, err := NewPlan(t.Context(), Options{Files: []string{hosts}}); err != nil {
		fmt.Fprintln(&said, err)
	}
	for _, says := range []string{`it begins with "\x1b]0;pwned`, "USER AGENT", `its time "\x1b[2J"`, "b.log is "} {
		if !strings.Contains(said.String(), says) {
			t.Errorf("it does not say %s", says)
		}
	}
	if at := strings.IndexFunc(said.String(), func(r rune) bool { return r != '\n' && !unicode.IsPrint(r) }); at >= 0 {
		t.Errorf("it says %q", said.String()[at:min(at+60, said.Len())])
	}
	if t.Failed() {
		t.Logf("%q", &said)
	}
}

func TestImportTimes(t *testing.T) {
	now := time.Date(2024, 5, 17, 12, 0, 0, 0, time.UTC)
	line := func(at time.Time) string {
		return `203.0.113.1 - - [` + at.Format("02/Jan/2006:15:04:05 -0700") + `] "GET / HTTP/1.1" 200 1 "-" "UA"` + "\n"
	}
	message := func(at time.Time) string {
		return `{"type":"page","userId":"u","name":"/","timestamp":"` + at.Format(time.RFC3339) + `"}` + "\n"
	}
	for name, make := range map[string]func(time.Time) string{"combined": line, "messages": message} {
		text := make(now.Add(24*time.Hour-time.Second)) + make(now.Add(24*time.Hour)) + make(time.Date(1989, 12, 31, 23, 59, 59, 0, time.UTC)) + make(now)
		var s sink
		var notes strings.Builder
		got := mustImport(t, &s, Options{Files: []string{writeFile(t, "a.log", text)}, Notes: &notes, Now: func() time.Time { return now }})
		if want := (Summary{Format: name, Lines: 4, Messages: 2, Rejected: 2}); got != want {
			t.Errorf("%+v, want %+v", got, want)
		}
		for _, says := range []string{"a.log:2: ", "2024-05-18T12:00:00Z is more than a day ahead", "a.log:3: ", "1989"} {
			if !strings.Contains(notes.String(), says) {
				t.Errorf("%s: it does not say %q: %s", name, says, &notes)
			}
		}
	}
}

// Lines go to the site of their host. A site is made for a host that a hundredth of the
// first page views name, and not of an address.
func TestHostsChooseTheSite(t *testing.T) {
	var text strings.Builder
	for i, host := range slices.Concat(slices.Repeat([]string{"shop.example:443"}, 600), slices.Repeat([]string{"Blog.Example:443"}, 300), []string{"stray.example:80"}, slices.Repeat([]string{"203.0.113.1:80"}, 50), slices.Repeat([]string{"late.example:80"}, 200)) {
		fmt.Fprintf(&text, `%s 203.0.113.%d - - [17/May/2024:12:%02d:%02d +0000] "GET /%d HTTP/1.1" 200 12 "-" "`+firefox+"\"\n", host, i%200, i/60%60, i%60, i)
	}
	sinks := map[string]*sink{}
	asked := map[string]bool{}
	var notes strings.Builder
	summary, err := Import(t.Context(), Options{
		Files: []string{writeFile(t, "a.log", text.String())}, Notes: &notes,
		Route: func(_ context.Context, host string, mayCreate bool) (*Target, error) {
			asked[host] = mayCreate
			if !mayCreate {
				return nil, nil
			}
			sinks[host] = &sink{}
			return &Target{Site: host, IsNew: true, Write: sinks[host].write}, nil
		},
	})
	if err != nil || len(sinks) != 3 || len(sinks["shop.example"].messages) != 600 || len(sinks["blog.example"].messages) != 300 || len(sinks["late.example"].messages) != 200 {
		t.Errorf("%v, %d sites", err, len(sinks))
	}
	if want := (Summary{Format: "vhost_combined", Lines: 1151, Messages: 1100, Ignored: 51}); summary != want {
		t.Errorf("%+v, want %+v", summary, want)
	}
	for _, says := range []string{"host shop.example, 600 of the first 950 page views: to a new site, shop.example\n", "host stray.example, 1 of the first 950 page views: no site has it: its lines are ignored\n", "ignored page views of hosts that no site has: 203.0.113.1 (50), stray.example (1);"} {
		if !strings.Contains(notes.String(), says) {
			t.Errorf("it does not say %q:\n%s", says, &notes)
		}
	}
	if _, ok := asked["203.0.113.1"]; ok {
		t.Error("an address was looked up as a host")
	}
}

func TestDryRun(t *testing.T) {
	var text strings.Builder
	fmt.Fprintln(&text, "nonsense")
	for i := range 60 {
		fmt.Fprintf(&text, `shop.example:443 203.0.113.%d - - [17/May/2024:%02d:00:00 +0000] "GET /%d HTTP/1.1" 200 12 "%s" "%s"`+"\n", i%3, i/3%24, i%12, []string{"-", "https://t.co/x"}[i%2], firefox)
	}
	fmt.Fprintln(&text, `shop.example:443 203.0.113.1 - - [17/May/2024:12:00:00 +0000] "GET /a.css HTTP/1.1" 200 12 "-" "x"`)
	fmt.Fprintln(&text, `shop.example:443 203.0.113.1 - - [17/May/2024:12:00:00 +0000] "GET /a HTTP/1.1" 200 12 "-" "Googlebot/2.1"`)
	file := writeFile(t, "a.log", text.String())
	p, err := NewPlan(t.Context(), Options{Files: []string{file}, Route: func(context.Context, string, bool) (*Target, error) {
		t.Error("a site was asked for")
		return nil, nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	report, err := p.DryRun(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if want := (Summary{Format: "vhost_combined", Lines: 63, Messages: 60, Rejected: 1, Bots: 1, Ignored: 1, Visitors: 3, Sessions: 60}); report.Summary != want {
		t.Errorf("%+v, want %+v", report.Summary, want)
	}
	var said strings.Builder
	if err := report.Write(&said); err != nil {
		t.Fatal(err)
	}
	for _, says := range []string{"a.log: an access log in the vhost_combined format\n", "first  2024-05-17 00:00:00 UTC", "last   2024-05-17 19:00:00 UTC", "COUNT  HOST\n60     shop.example\n", "\n5      /0\n", "\n30     (direct)\n30     t.co\n", "\n60     " + firefox} {
		if !strings.Contains(said.String(), says) {
			t.Errorf("it does not say %q:\n%s", says, &said)
		}
	}
}

func TestTop(t *testing.T) {
	for _, kept := range []int{5, 50, 1000} {
		r := rand.New(rand.NewPCG(3, uint64(kept)))
		counts := map[string]int{}
		total := 0
		top := newTop(kept)
		for range 20_000 {
			text := fmt.Sprint(int(r.ExpFloat64() * 20))
			counts[text]++
			total++
			top.add(text)
		}
		for _, c := range top.all() {
			if c.count < counts[c.text] || c.count-c.excess > counts[c.text] {
				t.Errorf("%d kept: %q is between %d and %d, but %d", kept, c.text, c.count-c.excess, c.count, counts[c.text])
			}
			if len(counts) <= kept && c.excess > 0 {
				t.Errorf("%d kept: %q is not exact", kept, c.text)
			}
		}
		for text, n := range counts {
			if n > total/kept && top.index[text] == nil {
				t.Errorf("%d kept: %q is missing", kept, text)
			}
		}
		if len(top.index) > kept {
			t.Errorf("%d are kept, want %d", len(top.index), kept)
		}
	}
}
