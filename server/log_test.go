//go:build system

// This file serves the tests of this folder, which run the server, so it has the tag system: see main_test.go.
package main

import (
	"bufio"
	"compress/gzip"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

const (
	sampleFile = "app/sample/apache_logs.gz"
	// What the sample's log has, with crawlers.
	sampleLines, samplePageViews, sampleVisitors, sampleSessions = 10_000, 3_988, 1_299, 2_347
)

func mustAbs(tb testing.TB, file string) string {
	tb.Helper()
	path, err := filepath.Abs(file)
	if err != nil {
		tb.Fatal(err)
	}
	return path
}

// sampleText returns the sample's log, unpacked.
func sampleText(tb testing.TB) string {
	tb.Helper()
	file, err := os.Open(sampleFile)
	if err != nil {
		tb.Fatal(err)
	}
	defer file.Close()
	unpacked, err := gzip.NewReader(file)
	if err != nil {
		tb.Fatal(err)
	}
	text, err := io.ReadAll(unpacked)
	if err != nil {
		tb.Fatal(err)
	}
	return string(text)
}

// longLog writes the sample's log so many times one behind the other, each time
// five days later, so that no session of one copy joins one of another.
func longLog(tb testing.TB, copies int) string {
	tb.Helper()
	const layout = "02/Jan/2006:15:04:05 -0700"
	lines := strings.SplitAfter(strings.TrimSuffix(sampleText(tb), "\n"), "\n")
	lines[len(lines)-1] += "\n"
	name := filepath.Join(tb.TempDir(), "long.log")
	file, err := os.Create(name)
	if err != nil {
		tb.Fatal(err)
	}
	w := bufio.NewWriterSize(file, 1<<20)
	for n := range copies {
		for _, line := range lines {
			before, rest, _ := strings.Cut(line, "[")
			at, rest, _ := strings.Cut(rest, "]")
			t, err := time.Parse(layout, at)
			if err != nil {
				tb.Fatal(err)
			}
			for _, part := range []string{before, "[", t.AddDate(0, 0, 5*n).Format(layout), "]", rest} {
				w.WriteString(part) // errors stay until Flush
			}
		}
	}
	if err := w.Flush(); err != nil {
		tb.Fatal(err)
	}
	if err := file.Close(); err != nil {
		tb.Fatal(err)
	}
	return name
}
