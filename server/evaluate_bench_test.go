//go:build system

// The benchmark in this file runs the server, so it has the tag system: see main_test.go.
package main

import (
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/goalgraph/goalgraph/model/store/storetest"
)

// BenchmarkEvaluate evaluates flags 2,000 times a second beside 2,000 messages a second. Half of the evaluations are of one flag, which is
// exposed, and half of all 20; each visitor comes back five times on average. It says how long an answer takes.
func BenchmarkEvaluate(b *testing.B) {
	seconds := 2
	if text := os.Getenv("GOALGRAPH_BENCH_SECONDS"); text != "" {
		var err error
		if seconds, err = strconv.Atoi(text); err != nil {
			b.Fatal(err)
		}
	}
	duration := time.Duration(seconds) * time.Second
	database := storetest.PostgreSQL(b)
	key := mustKey(b, database)
	s := mustServe(b, "--key-rate", "0", "--database", database)
	for i := range 20 {
		s.mustStart(b, s.mustExperiment(b, fmt.Sprint("experiment-", i), twoVariants))
	}
	const evaluators, perSecond = 20, 2000
	var mu sync.Mutex
	var one, all []time.Duration
	var working sync.WaitGroup
	begin := time.Now()
	for sender := range 4 { // 10 batches of 50 messages a second of each
		working.Go(func() {
			traffic := newTraffic(uint64(sender), fmt.Sprint("beside", sender))
			for next := begin; time.Since(begin) < duration; next = next.Add(100 * time.Millisecond) {
				time.Sleep(time.Until(next))
				if a, err := s.track(key, "/v1/batch", traffic.batch(), "Content-Type", "application/json"); err != nil || a.status != 200 {
					b.Errorf("%v %+v", err, a)
					return
				}
			}
		})
	}
	for evaluator := range evaluators {
		working.Go(func() {
			r := rand.New(rand.NewPCG(uint64(evaluator), 1))
			for next := begin; time.Since(begin) < duration; next = next.Add(evaluators * time.Second / perSecond) {
				time.Sleep(time.Until(next))
				path, to := "/ofrep/v1/evaluate/flags", &all
				if r.IntN(2) == 0 {
					path, to = fmt.Sprint(path, "/experiment-", r.IntN(20)), &one
				}
				body := fmt.Appendf(nil, `{"context": {"targetingKey": "visitor-%d"}}`, r.IntN(seconds*perSecond/5))
				asked := time.Now()
				a, err := s.track("", path, body, "Content-Type", "application/json", "X-API-Key", key)
				if err != nil || a.status != 200 {
					b.Errorf("%v %+v", err, a)
					return
				}
				mu.Lock()
				*to = append(*to, time.Since(asked))
				mu.Unlock()
			}
		})
	}
	working.Wait()
	if b.Failed() {
		return
	}
	for name, latencies := range map[string][]time.Duration{"one": one, "all": all} {
		slices.Sort(latencies)
		b.ReportMetric(float64(latencies[len(latencies)/2])/1e6, name+"-p50-ms")
		b.ReportMetric(float64(latencies[len(latencies)*99/100])/1e6, name+"-p99-ms")
	}
	b.ReportMetric(float64(len(one)+len(all))/time.Since(begin).Seconds(), "evaluations/s")
	b.ReportMetric(float64(residentBytes(s.Process.Pid))/(1<<20), "rssMB")
	b.ReportMetric(0, "ns/op")
}
