package ingest

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/goalgraph/goalgraph/model"
	"github.com/goalgraph/goalgraph/model/store"
)

// sampleLog is the log that the program is shipped with.
const sampleLog = "../app/sample/apache_logs.gz"

// sink keeps what Import writes, and counts a message id once.
type sink struct {
	messages []model.Message
	known    map[model.MessageID]bool
	batches  int
}

func (s *sink) write(_ context.Context, batch []model.Message) (written store.Written, err error) {
	if s.known == nil {
		s.known = map[model.MessageID]bool{}
	}
	s.batches++
	for _, message := range batch {
		if s.known[message.Hit.ID] {
			written.Duplicates++
			continue
		}
		s.known[message.Hit.ID] = true
		s.messages = append(s.messages, message)
	}
	return written, nil
}

func (s *sink) visits() (visits []model.Visit, visitors int) {
	hits := map[string][]model.Hit{}
	for _, message := range s.messages {
		hit := message.Hit
		hit.Visitor = message.AnonymousID
		hits[hit.Visitor] = append(hits[hit.Visitor], hit)
	}
	for _, own := range hits {
		visits = append(visits, model.Fold(own)...)
	}
	return visits, len(hits)
}

func mustImport(tb testing.TB, s *sink, o Options) Summary {
	tb.Helper()
	o.Write = s.write
	summary, err := Import(tb.Context(), o)
	if err != nil {
		tb.Fatal(err)
	}
	return summary
}

func TestSampleLog(t *testing.T) {
	var s sink
	var rejects strings.Builder
	o := Options{Files: []string{sampleLog}, IncludeBots: true, Notes: &rejects}
	got := mustImport(t, &s, o)
	if want := (Summary{Format: "combined", Lines: 10000, Messages: 3988, Ignored: 6012}); got != want {
		t.Errorf("summary = %+v, want %+v", got, want)
	}
	if want := sampleLog + ": an access log in the combined format\n"; rejects.String() != want {
		t.Errorf("it says %s", rejects.String())
	}
	visits, visitors := s.visits()
	site := model.Site{Domains: []string{"semicomplete.com"}}
	byDay := map[model.Day]int{}
	facts := map[string]int{}
	for _, visit := range visits {
		session := visit.Session
		byDay[session.Start.Day()]++
		if strings.Contains(session.Referrer, "google") {
			facts["google"]++
		}
		if session.Referrer == "" || site.IsOwnHost(session.Referrer) {
			facts["direct"]++
		}
		if length := session.Length(); 5000 <= length && length <= 30000 {
			facts["5-30 s"]++
		}
		if slices.Contains(session.Pages, "/") {
			facts["page /"]++
		}
		if slices.ContainsFunc(session.Pages, func(p string) bool { return strings.HasPrefix(p, "/projects/xdotool") }) {
			facts["page xdotool"]++
		}
		if slices.ContainsFunc(session.Pages, func(p string) bool { return strings.HasPrefix(p, "/blog/") }) {
			facts["page blog"]++
		}
	}
	if len(visits) != 2347 || visitors != 1299 {
		t.Errorf("%d sessions of %d visitors, want 2347 of 1299", len(visits), visitors)
	}
	want := map[string]int{"google": 423, "direct": 1760, "5-30 s": 318, "page /": 526, "page xdotool": 315, "page blog": 980}
	for name, count := range want {
		if facts[name] != count {
			t.Errorf("%s: %d sessions, want %d", name, facts[name], count)
		}
	}
	const first = model.Day(16572) // 2015-05-17
	for i, count := range []int{409, 736, 628, 574} {
		if byDay[first+model.Day(i)] != count {
			t.Errorf("day %d: %d sessions, want %d", i, byDay[first+model.Day(i)], count)
		}
	}

	again := mustImport(t, &s, o)
	if want := (Summary{Format: "combined", Lines: 10000, Messages: 3988, Duplicates: 3988, Ignored: 6012}); again != want {
		t.Errorf("the second time: summary = %+v, want %+v", again, want)
	}
}

func TestSampleLogWithoutBots(t *testing.T) {
	var s sink
	got := mustImport(t, &s, Options{Files: []string{sampleLog}})
	if got.Ignored != 6012 || got.Bots == 0 || got.Messages+got.Bots != 3988 {
		t.Errorf("summary = %+v", got)
	}
	t.Logf("%+v", got)
}

// sampleLines returns the sample's lines without their line breaks.
func sampleLines(tb testing.TB) []string {
	tb.Helper()
	s, err := openSource(tb.Context(), sampleLog, nil)
	if err != nil {
		tb.Fatal(err)
	}
	defer s.close()
	var lines []string
	for {
		line, _, err := s.next()
		if err != nil {
			return lines
		}
		lines = append(lines, string(line))
	}
}

// A log that is cut between two times, and imported in any order, is the log.
func TestSplitLogGivesTheSameMessages(t *testing.T) {
	lines := sampleLines(t)
	dir := t.TempDir()
	var whole sink
	mustImport(t, &whole, Options{Files: []string{sampleLog}, IncludeBots: true})
	for _, parts := range []int{2, 7, 50} {
		texts := make([]strings.Builder, parts)
		for _, line := range lines {
			l, err := parseCombined(line)
			if err != nil {
				t.Fatal(err)
			}
			// Equal lines have equal times.
			texts[int(l.At/1000)%parts].WriteString(line + "\r\n")
		}
		var files []string
		for i := range texts {
			file := filepath.Join(dir, fmt.Sprintf("%d-%d.log", parts, i))
			if err := os.WriteFile(file, []byte(texts[i].String()), 0o600); err != nil {
				t.Fatal(err)
			}
			files = append(files, file)
		}
		slices.Reverse(files)
		var split sink
		summary := mustImport(t, &split, Options{Files: files, IncludeBots: true, Batch: 100})
		if summary.Duplicates != 0 || len(split.known) != len(whole.known) {
			t.Fatalf("%d parts: %+v", parts, summary)
		}
		for id := range whole.known {
			if !split.known[id] {
				t.Fatalf("%d parts: a message is missing", parts)
			}
		}
	}
}

func TestLinesForgetsOnlyWhatIsFarBack(t *testing.T) {
	lines := NewLines()
	lines.window = 10
	first, second := lines.ID("a"), lines.ID("a")
	if first == second {
		t.Fatal("the second of two equal lines has the first one's id")
	}
	if other := NewLines(); other.ID("a") != first || other.ID("a") != second {
		t.Fatal("ids differ from one reading to the next")
	}
	for i := range 1000 {
		lines.ID(fmt.Sprint(i))
		if i < 9 && lines.ID("a") == first {
			t.Fatalf("forgotten after %d lines", i)
		}
		if n := len(lines.young) + len(lines.old); n > 21 {
			t.Fatalf("%d lines are held", n)
		}
	}
	if lines.ID("a") != first {
		t.Fatal("never forgotten")
	}
}

func newTestLineDecoder(decoder *Decoder, d dialect) *lineDecoder {
	p := &Plan{decoder: decoder, latest: latest, options: Options{IncludeBots: true}}
	return p.newLineDecoder(&plannedFile{dialect: d})
}

func parseCombined(line string) (LogLine, error) { return Combined.newParser(nil)(line) }
