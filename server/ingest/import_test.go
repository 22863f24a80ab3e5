package ingest

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/goalgraph/goalgraph/model"
	"github.com/goalgraph/goalgraph/model/store"
)

// logLine returns a line of the combined format that is a page view.
func logLine(i int) string {
	return fmt.Sprintf(`10.0.%d.%d - - [17/May/2015:%02d:%02d:%02d +0000] "GET /page/%d HTTP/1.1" 200 1 "-" "%s"`,
		i/256%256, i%256, i/3600%24, i/60%60, i%60, i, chrome)
}

func logLines(n int) string {
	var text strings.Builder
	for i := range n {
		text.WriteString(logLine(i) + "\n")
	}
	return text.String()
}

func gzipped(tb testing.TB, text string) string {
	tb.Helper()
	var packed bytes.Buffer
	w := gzip.NewWriter(&packed)
	if _, err := io.WriteString(w, text); err != nil {
		tb.Fatal(err)
	}
	if err := w.Close(); err != nil {
		tb.Fatal(err)
	}
	return packed.String()
}

func writeFile(tb testing.TB, name, content string) string {
	tb.Helper()
	file := filepath.Join(tb.TempDir(), name)
	if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
		tb.Fatal(err)
	}
	return file
}

func TestImportFiles(t *testing.T) {
	const message = `{"type":"track","event":"E","userId":"u","messageId":"%d","timestamp":"2026-01-02T03:04:05Z"}` + "\n"
	const group = `{"type":"group","userId":"u","groupId":"g"}`
	random := make([]byte, 100_000)
	for i, state := 0, uint32(1); i < len(random); i++ {
		state = state*1664525 + 1013904223
		random[i] = byte(state >> 24)
	}
	long := strings.Repeat("x", maxLineBytes+10)
	packed := gzipped(t, logLines(2000))
	damaged := []byte(packed)
	for i := len(damaged) / 2; i < len(damaged)/2+20; i++ {
		damaged[i] ^= 0xff
	}
	for _, test := range []struct {
		name, file, content string
		format              Format
		want                Summary
		reason              string // of the error
		rejects             string
	}{
		{name: "plain", file: "a.log", content: logLines(3), want: Summary{Format: "combined", Lines: 3, Messages: 3}},
		{name: "empty", file: "a.log", content: "", want: Summary{Format: "combined"}},
		{name: "blank lines", file: "a.log", content: "\n \r\n" + logLines(1) + "\n\n", want: Summary{Format: "combined", Lines: 1, Messages: 1}},
		{name: "gzip", file: "a.gz", content: gzipped(t, logLines(3)), want: Summary{Format: "combined", Lines: 3, Messages: 3}},
		{name: "gzip of two parts", file: "a.GZ", content: gzipped(t, logLines(3)) + gzipped(t, logLine(9)), want: Summary{Format: "combined", Lines: 4, Messages: 4}},
		{name: "gzip by another name", file: "a.log", content: gzipped(t, logLines(3)), want: Summary{Format: "combined", Lines: 3, Messages: 3}},
		{name: "no gzip", file: "a.gz", content: logLines(3), reason: "ends in .gz but"},
		{name: "empty gzip", file: "a.gz", content: "", reason: "ends in .gz but"},
		{name: "header of a gzip", file: "a.gz", content: packed[:5], reason: "a.gz is truncated: it ends early, after line 0"},
		{name: "damaged gzip", file: "a.gz", content: string(damaged), reason: "a.gz is damaged after line"},
		{name: "one bad line", file: "a.log", content: logLine(1) + "\nplain nonsense\n" + logLine(2) + "\n", want: Summary{Format: "combined", Lines: 3, Messages: 2, Rejected: 1}, rejects: "a.log:2: not in the combined format: no [time] follows the address\n"},
		{name: "overlong line", file: "a.log", content: logLine(1) + "\n" + long + "\n" + logLine(2) + "\n", want: Summary{Format: "combined", Lines: 3, Messages: 2, Rejected: 1}, rejects: "a.log:2: the line is longer than 1 MiB\n"},
		{name: "overlong last line", file: "a.log", content: logLine(1) + "\n" + long, want: Summary{Format: "combined", Lines: 2, Messages: 1, Rejected: 1}, rejects: "a.log:2: the line is longer than 1 MiB\n"},
		{name: "no line break at the end", file: "a.log", content: logLine(1), want: Summary{Format: "combined", Lines: 1, Messages: 1}},
		{name: "last line being written", file: "a.log", content: logLine(1) + "\n" + strings.TrimSuffix(logLine(2), `6"`), want: Summary{Format: "combined", Lines: 2, Messages: 1, Rejected: 1}, rejects: "the file ends in the middle of the line"},
		{name: "binary rubbish", file: "a.log", content: string(random), reason: "a.log is in no known format (combined, "},
		{name: "binary rubbish without line breaks", file: "a.log", content: strings.Repeat("\x00\xff", 2<<20), reason: "is in no known format"},
		{name: "messages as a log", file: "a.log", format: Combined, content: fmt.Sprintf(message, 1), reason: "is not an access log"},
		{name: "messages", file: "a.json", format: Messages, content: fmt.Sprintf(message+message+message, 1, 2, 1) + group, want: Summary{Format: "messages", Lines: 4, Messages: 3, Duplicates: 1, Ignored: 1}},
		{name: "bad message", file: "a.json", format: Messages, content: fmt.Sprintf(message, 1) + "{}", want: Summary{Format: "messages", Lines: 2, Messages: 1, Rejected: 1}, rejects: "a.json:2: type: is missing"},
		{name: "a log as messages", file: "a.log", format: Messages, content: logLines(3), reason: "is not a file with one JSON message per line"},
	} {
		t.Run(test.name, func(t *testing.T) {
			var s sink
			var rejects strings.Builder
			got, err := Import(t.Context(), Options{
				Files: []string{writeFile(t, test.file, test.content)}, Format: test.format, Write: s.write, Notes: &rejects,
			})
			if test.reason == "" && err != nil {
				t.Fatal(err)
			}
			if test.reason != "" && (err == nil || !strings.Contains(err.Error(), test.reason)) {
				t.Fatalf("error %v, want one with %q", err, test.reason)
			}
			if test.reason == "" && got != test.want {
				t.Errorf("got %+v, want %+v", got, test.want)
			}
			if got.Lines != got.Messages+got.Rejected+got.Bots+got.Ignored {
				t.Errorf("the lines do not add up: %+v", got)
			}
			if !strings.Contains(rejects.String(), test.rejects) || (test.rejects == "" && test.reason == "" && strings.Count(rejects.String(), "\n") != 1) {
				t.Errorf("rejects %q, want %q", rejects.String(), test.rejects)
			}
		})
	}
}

func TestImportNamesTheFirstRejectedLines(t *testing.T) {
	var s sink
	var rejects strings.Builder
	file := writeFile(t, "a.log", logLines(450)+strings.Repeat("nonsense\n", 50))
	mustImport(t, &s, Options{Files: []string{file}, Notes: &rejects})
	if n := strings.Count(rejects.String(), "\n"); n != maxRejects+2 || !strings.HasSuffix(rejects.String(), "a.log: 30 more lines were rejected\n") {
		t.Errorf("%d lines:\n%s", n, rejects.String())
	}
}

// What a truncated file has is kept, but for the line that it ends in; the whole
// file then adds the rest.
func TestImportTruncatedGzip(t *testing.T) {
	packed := gzipped(t, logLines(3000))
	var s sink
	file := writeFile(t, "a.gz", packed[:len(packed)/2])
	got, err := Import(t.Context(), Options{Files: []string{file}, Write: s.write, Batch: 7})
	if err == nil || !strings.Contains(err.Error(), "a.gz is truncated") {
		t.Fatalf("error %v", err)
	}
	if got.Messages == 0 || got.Messages >= 3000 || got.Rejected != 0 || len(s.messages) != got.Messages {
		t.Fatalf("%+v, %d written", got, len(s.messages))
	}
	whole := mustImport(t, &s, Options{Files: []string{writeFile(t, "b.gz", packed)}})
	if whole.Duplicates != got.Messages || len(s.messages) != 3000 {
		t.Errorf("%+v, %d written", whole, len(s.messages))
	}
}

func TestImportGrownFile(t *testing.T) {
	var s sink
	text := logLines(10) + logLines(10)
	mustImport(t, &s, Options{Files: []string{writeFile(t, "a.log", text)}})
	if len(s.messages) != 20 {
		t.Fatalf("%d messages of twenty lines, ten of them twice", len(s.messages))
	}
	got := mustImport(t, &s, Options{Files: []string{writeFile(t, "a.log", text+logLine(5))}})
	if want := (Summary{Format: "combined", Lines: 21, Messages: 21, Duplicates: 20}); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
}

func TestImportRefuses(t *testing.T) {
	good := writeFile(t, "a.log", logLines(3))
	missing := filepath.Join(t.TempDir(), "missing.log")
	for _, test := range []struct {
		options Options
		reason  string
	}{
		{Options{}, "no file"},
		{Options{Files: []string{good, missing}}, "missing.log: no such file"},
		{Options{Files: []string{good, t.TempDir()}}, "is a directory"},
		{Options{Files: []string{good}, Format: "csv"}, `unknown format "csv"`},
		{Options{Files: []string{"-"}}, "standard input"},
		{Options{Files: []string{"-", "-"}, Stdin: strings.NewReader("")}, "only once"},
	} {
		var s sink
		test.options.Write = s.write
		got, err := Import(t.Context(), test.options)
		if err == nil || !strings.Contains(err.Error(), test.reason) {
			t.Errorf("error %v, want one with %q", err, test.reason)
		}
		if got != (Summary{}) || s.batches != 0 {
			t.Errorf("%s: %+v was written", test.reason, got)
		}
	}
}

func TestImportStandardInput(t *testing.T) {
	var s sink
	got := mustImport(t, &s, Options{Files: []string{"-"}, Stdin: strings.NewReader(gzipped(t, logLines(3)))})
	if want := (Summary{Format: "combined", Lines: 3, Messages: 3}); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
}

func TestImportStops(t *testing.T) {
	t.Run("between batches", func(t *testing.T) {
		ctx, stop := context.WithCancel(t.Context())
		batches := 0
		got, err := Import(ctx, Options{
			Files: []string{writeFile(t, "a.log", logLines(1000))}, Batch: 10,
			Write: func(context.Context, []model.Message) (store.Written, error) {
				if batches++; batches == 3 {
					stop()
				}
				return store.Written{}, nil
			},
		})
		if !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), "import stopped after 30 lines") || got.Messages != 30 {
			t.Errorf("%+v, %v", got, err)
		}
	})
	t.Run("waiting for input", func(t *testing.T) {
		stdin, input := io.Pipe()
		defer input.Close()
		ctx, stop := context.WithCancel(t.Context())
		go func() {
			io.WriteString(input, logLine(1)+"\n")
			stop()
		}()
		var s sink
		if _, err := Import(ctx, Options{Files: []string{"-"}, Stdin: stdin, Write: s.write}); !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	})
	t.Run("by a failed write", func(t *testing.T) {
		full := errors.New("disk full")
		got, err := Import(t.Context(), Options{
			Files: []string{writeFile(t, "a.log", logLines(1000))}, Batch: 10,
			Write: func(context.Context, []model.Message) (store.Written, error) { return store.Written{}, full },
		})
		if !errors.Is(err, full) || got != (Summary{Format: "combined"}) {
			t.Errorf("%+v, %v", got, err)
		}
	})
}

func TestImportShowsProgress(t *testing.T) {
	var s sink
	var terminal strings.Builder
	file := writeFile(t, "a.log", "some nonsense\n"+logLines(100))
	mustImport(t, &s, Options{Files: []string{file}, Batch: 10, Progress: &terminal, Notes: &terminal})
	if !strings.Contains(terminal.String(), "lines/s") || !strings.Contains(terminal.String(), "a.log:1: not in the") {
		t.Errorf("%q", terminal.String())
	}
}

func TestSummaryJSON(t *testing.T) {
	text, err := json.Marshal(Summary{Format: "combined", Lines: 1, Messages: 2, Duplicates: 3, Rejected: 4, Bots: 5, Ignored: 6, Visitors: 7, Sessions: 8})
	const want = `{"format":"combined","lines":1,"messages":2,"duplicates":3,"rejected":4,"bots":5,"ignored":6,"visitors":7,"sessions":8}`
	if err != nil || string(text) != want {
		t.Errorf("%s, %v", text, err)
	}
}

// longLog is a log that is made while it is read.
type longLog struct {
	next, lines int
	rest        []byte
}

func (l *longLog) Read(p []byte) (n int, err error) {
	for len(l.rest) < len(p) && l.next < l.lines {
		l.rest = append(l.rest, logLine(l.next)...)
		l.rest = append(l.rest, '\n')
		l.next++
	}
	if len(l.rest) == 0 {
		return 0, io.EOF
	}
	n = copy(p, l.rest)
	l.rest = l.rest[:copy(l.rest, l.rest[n:])]
	return n, nil
}

// BenchmarkImport shows lines a second, and that memory does not grow with the
// file, without a database.
func BenchmarkImport(b *testing.B) {
	for _, lines := range []int{100_000, 1_000_000, 2_000_000} {
		b.Run(fmt.Sprint(lines), func(b *testing.B) {
			var peak uint64
			for b.Loop() {
				batches := 0
				_, err := Import(b.Context(), Options{
					Files: []string{"-"}, Stdin: &longLog{lines: lines},
					Write: func(context.Context, []model.Message) (store.Written, error) {
						if batches++; batches%20 == 0 {
							var m runtime.MemStats
							runtime.ReadMemStats(&m)
							peak = max(peak, m.HeapInuse)
						}
						return store.Written{}, nil
					},
				})
				if err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(lines)*float64(b.N)/b.Elapsed().Seconds(), "lines/s")
			b.ReportMetric(float64(peak)/(1<<20), "peak-MB")
		})
	}
}
