//go:build system

// The benchmark in this file runs the server, so it has the tag system: see main_test.go.
package main

import (
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/goalgraph/goalgraph/model/store/storetest"
)

// BenchmarkTrack sends batches of 100 messages to /v1/batch, for so many seconds as
// GOALGRAPH_BENCH_SECONDS says (make bench-track and make soak-track do) or 2, with
// server, database and senders on one machine: first as fast as they are
// acknowledged (messages/s), and then 5,000 messages a second (ack-p99-ms). ×bare
// is how fast that was beside writing the same hits alone to an empty table: by COPY
// on PostgreSQL, by INSERTs of many rows on SQLite. rssMB is the most memory that
// the server was seen to have, and must stay below mostRSS. In the end every message
// must have been counted.
func BenchmarkTrack(b *testing.B) {
	seconds := 2
	if set := os.Getenv("GOALGRAPH_BENCH_SECONDS"); set != "" {
		var err error
		if seconds, err = strconv.Atoi(set); err != nil || seconds < 1 {
			b.Fatalf("GOALGRAPH_BENCH_SECONDS: %q is no number from 1 on", set)
		}
	}
	for name, newDatabase := range map[string]func(testing.TB) string{"sqlite": storetest.SQLite, "postgresql": storetest.PostgreSQL} {
		b.Run(name, func(b *testing.B) {
			for range b.N {
				benchmarkTrack(b, newDatabase(b), time.Duration(seconds)*time.Second)
			}
		})
	}
}

// traffic makes batches as visitors' browsers would send them to a collector: from
// templates, so that the senders take little of the machine.
type traffic struct {
	name      string
	templates []string
	made      int
}

// mostRSS is more than the server's caches, queue and room take together.
const mostRSS = 512 << 20

const (
	batchMessages = 100
	// What templates have in place of the batch's number and of the time.
	serial, moment = "########", "@@@@@@@@"
)

func newTraffic(seed uint64, name string) *traffic {
	t := &traffic{name: name}
	r := rand.New(rand.NewPCG(seed, 1))
	for range 20 {
		var b strings.Builder
		b.WriteString(`{"batch":[`)
		visitor, left := 0, 0 // messages of the visitor's session that are still to come
		for i := range batchMessages {
			if left == 0 {
				visitor++
				left = 1 + r.IntN(8)
			}
			left--
			if i > 0 {
				b.WriteByte(',')
			}
			fmt.Fprintf(&b, `{"messageId":"%s-%s-%d","anonymousId":"%s-%s-%d","timestamp":"%s","context":{"ip":"81.2.%d.%d","userAgent":"Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/%d.0 Safari/537.36","locale":"en-GB","page":{"path":"/p/%d","referrer":"https://site%d.example/"}},`,
				name, serial, i, name, serial, visitor, moment, r.IntN(250), r.IntN(250), 100+r.IntN(40), r.IntN(2000), r.IntN(500))
			if r.IntN(4) == 0 {
				fmt.Fprintf(&b, `"type":"track","event":"event-%d","properties":{"value":%d}}`, r.IntN(30), r.IntN(100))
			} else {
				fmt.Fprintf(&b, `"type":"page","properties":{"path":"/p/%d","tags":["tag-%d"]}}`, r.IntN(2000), r.IntN(100))
			}
		}
		b.WriteString(`]}`)
		t.templates = append(t.templates, b.String())
	}
	return t
}

func (t *traffic) batch() []byte {
	t.made++
	body := strings.NewReplacer(serial, fmt.Sprintf("%08d", t.made), moment, time.Now().UTC().Format(time.RFC3339Nano)).Replace(t.templates[t.made%len(t.templates)])
	return []byte(body)
}

func benchmarkTrack(b *testing.B, database string, duration time.Duration) {
	key := mustKey(b, database)
	p := program(b, "serve", "--auth", "none", "--key-rate", "0", "--listen", "127.0.0.1:0", "--database", database)
	s := p.mustServe(b)
	var sent atomic.Int64
	var rss int64
	watched := make(chan struct{})
	go func() {
		defer close(watched)
		for {
			select {
			case <-p.ended:
				return
			case <-time.After(100 * time.Millisecond):
				rss = max(rss, residentBytes(p.Process.Pid))
			}
		}
	}()
	// send has senders send until the time is over, each not before its pause.
	send := func(phase string, senders int, pause time.Duration) (took time.Duration, latencies []time.Duration) {
		var mu sync.Mutex
		var sending sync.WaitGroup
		begin := time.Now()
		for sender := range senders {
			sending.Go(func() {
				t := newTraffic(uint64(sender), fmt.Sprintf("%s%d", phase, sender))
				next := begin
				for time.Since(begin) < duration {
					body := t.batch()
					if pause > 0 {
						next = next.Add(pause)
						time.Sleep(time.Until(next))
					}
					asked := time.Now()
					a, err := s.track(key, "/v1/batch", body, "Content-Type", "application/json")
					if err != nil || a.status != 200 || strings.Contains(a.body, "rejected") {
						b.Errorf("%v %+v", err, a)
						return
					}
					mu.Lock()
					latencies = append(latencies, time.Since(asked))
					mu.Unlock()
					sent.Add(batchMessages)
				}
			})
		}
		sending.Wait()
		slices.Sort(latencies)
		return time.Since(begin), latencies
	}
	fast, _ := send("fast", 64, 0)
	kept := sent.Load()
	// 5,000 messages a second of 5 senders are 10 batches a second of each.
	_, latencies := send("paced", 5, 100*time.Millisecond)
	if b.Failed() || len(latencies) == 0 {
		return
	}
	s.mustStop(b)
	<-watched
	if want := countHits(b, database); int64(want) != sent.Load() {
		b.Errorf("%d hits of %d acknowledged messages", want, sent.Load())
	}
	bare := loadBare(b, database, int(sent.Load()))
	perSecond := float64(kept) / fast.Seconds()
	b.ReportMetric(perSecond, "messages/s")
	b.ReportMetric(perSecond/(float64(sent.Load())/bare.Seconds()), "×bare")
	b.ReportMetric(float64(latencies[len(latencies)/2])/1e6, "ack-p50-ms")
	b.ReportMetric(float64(latencies[len(latencies)*99/100])/1e6, "ack-p99-ms")
	b.ReportMetric(float64(rss)/(1<<20), "rssMB")
	if rss > mostRSS {
		b.Errorf("the server took %d MiB", rss>>20)
	}
	b.ReportMetric(0, "ns/op")
}

func countHits(b *testing.B, database string) (n int) {
	db := openSQL(b, database)
	defer db.Close()
	if err := db.QueryRow("SELECT COUNT(*) FROM hits").Scan(&n); err != nil {
		b.Fatal(err)
	}
	return n
}

// residentBytes returns the memory that a process has, 0 where the system does not
// tell it as Linux does.
func residentBytes(pid int) int64 {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", pid))
	if err != nil {
		return 0
	}
	fields := strings.Fields(string(text))
	if len(fields) < 2 {
		return 0
	}
	pages, _ := strconv.ParseInt(fields[1], 10, 64)
	return pages * int64(os.Getpagesize())
}
