package ingest

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/goalgraph/goalgraph/model"
)

// A log that is split between its seconds, overlaps, and comes in any order gives the same
// messages with the same places as the whole.
func TestPlacesDoNotDependOnTheFiles(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	type timed struct {
		second int
		line   string
	}
	var log []timed
	for second := range 300 {
		for range r.IntN(6) {
			log = append(log, timed{second, fmt.Sprintf(`203.0.113.%d - - [17/May/2024:12:%02d:%02d +0000] "GET /%d HTTP/1.1" 200 12 "-" "%s"`, r.IntN(3), second/60, second%60, r.IntN(4), firefox)})
		}
	}
	// Requests are logged when they end: some stand a few seconds late.
	for i := range log {
		if j := i + r.IntN(12); j < len(log) && r.IntN(3) == 0 {
			log[i], log[j] = log[j], log[i]
		}
	}
	places := func(files []string, batch int) map[model.MessageID]int32 {
		var s sink
		mustImport(t, &s, Options{Files: files, Batch: batch})
		found := map[model.MessageID]int32{}
		for _, m := range s.messages {
			found[m.Hit.ID] = m.Hit.Place
		}
		return found
	}
	write := func(keep func(second int) bool) string {
		var text strings.Builder
		for _, l := range log {
			if keep(l.second) {
				text.WriteString(l.line + "\n")
			}
		}
		return writeFile(t, "part.log", text.String())
	}
	whole := places([]string{write(func(int) bool { return true })}, 0)
	if len(whole) != len(log) {
		t.Fatalf("%d messages of %d lines", len(whole), len(log))
	}
	for round := range 30 {
		k := 1 + r.IntN(6)
		var files []string
		for i := range k {
			from, to := i*300/k-r.IntN(30), (i+1)*300/k+r.IntN(30)
			files = append(files, write(func(second int) bool { return from <= second && second < to }))
		}
		r.Shuffle(len(files), func(i, j int) { files[i], files[j] = files[j], files[i] })
		if got := places(files, 1+r.IntN(50)); !maps.Equal(got, whole) {
			t.Fatalf("round %d: %d files give other places", round, k)
		}
	}
	// The order within a second is that of the file.
	bySecond := map[int]int32{}
	lines := NewLines()
	for _, l := range log {
		if got := whole[lines.ID(l.line)]; got != bySecond[l.second] {
			t.Fatalf("%s: place %d, want %d", l.line, got, bySecond[l.second])
		}
		bySecond[l.second]++
	}
}

func TestPlacesOfMessages(t *testing.T) {
	var text strings.Builder
	for i, at := range []string{"12:00:00.001", "12:00:00.001", "12:00:00.002", "12:00:00.001", "12:00:00"} {
		fmt.Fprintf(&text, `{"type":"page","messageId":"%d","userId":"u","name":"/","timestamp":"2024-05-17T%sZ"}`+"\n", i, at)
	}
	var s sink
	mustImport(t, &s, Options{Files: []string{writeFile(t, "a.jsonl", text.String())}})
	var got []int32
	for _, m := range s.messages {
		got = append(got, m.Hit.Place)
	}
	if want := []int32{0, 1, 0, 2, 0}; !slices.Equal(got, want) {
		t.Errorf("places %v, want %v", got, want)
	}
}

func TestPlacesAreBounded(t *testing.T) {
	p := NewPlaces()
	p.window = 10
	for at := range model.Millis(1000) {
		for place := range int32(3) {
			if got := p.Next(at); got != place {
				t.Fatalf("at %d: place %d, want %d", at, got, place)
			}
		}
		if at > 3 {
			if got := p.Next(at - 3); got != 3 {
				t.Fatalf("at %d: place %d of a time three before, want 3", at, got)
			}
		}
		if n := len(p.young) + len(p.old); n > 20 {
			t.Fatalf("%d times are held", n)
		}
	}
}
