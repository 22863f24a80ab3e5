//go:build system

// The tests in this file run servers and Chromium, so they have the tag system: see main_test.go.
package main

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/goalgraph/goalgraph/model/store/storetest"
	"github.com/goalgraph/goalgraph/server/browsertest"
)

// assignedPage is what a visitor sees: with the snippet, a headline, and a button that is pressed by some. The visitor is told by the query.
const assignedPage = `<!doctype html><title>shop</title><h1>old</h1>
<script>
	const visitor = new URLSearchParams(location.search).get('visitor')
	localStorage['goalgraph.visitor'] = 'visitor-' + visitor;
	(window.goalgraph = window.goalgraph || []).push(['variant', 'headline', (value) => {
		if (value && (value === 'b' ? visitor %% 5 < 4 : visitor %% 10 === 0)) goalgraph.track('bought')
		parent.postMessage([visitor, value])
	}])
</script>
<script async src="%s/sdk.js" data-key="%s"></script>`

// assignedDriver lets visitors come, one after another: who gets no variant, because a server is away, comes again.
const assignedDriver = `<!doctype html><title>driver</title><script>
	window.seen = 0
	const come = (visitor) => new Promise((resolve) => {
		const frame = document.createElement('iframe')
		onmessage = ({ data }) => { frame.remove(); resolve(data[1]) }
		frame.src = '/page?visitor=' + visitor
		document.body.append(frame)
	})
	window.drive = async (from, to) => {
		for (let visitor = from; visitor < to; visitor++) {
			while (!await come(visitor)) { await new Promise((resolve) => { setTimeout(resolve, 50) }) }
			window.seen++
		}
	}
</script><body>`

// Goalgraph assigns the visitors of a page, on two servers that are killed and come back: all are exposed, each once, in the shares of the
// weights, and the better variant leads, or wins where there are enough. GOALGRAPH_ASSIGNED_VISITORS is how many come.
func TestAssignedVisitors(t *testing.T) {
	t.Parallel()
	visitors := 60
	if text := os.Getenv("GOALGRAPH_ASSIGNED_VISITORS"); text != "" {
		var err error
		if visitors, err = strconv.Atoi(text); err != nil {
			t.Fatal(err)
		}
	}
	database := storetest.PostgreSQL(t)
	key := mustKey(t, database)
	serve := func(address string) *server {
		p := program(t, "serve", "--auth", "none", "--listen", address, "--database", database, "--min-visitors", "20", "--min-days", "0")
		return p.mustServe(t)
	}
	var nodes [2]atomic.Pointer[server]
	for i := range nodes {
		nodes[i].Store(serve("127.0.0.1:0"))
	}
	// A balancer stands before the servers, and asks the other one where one is away.
	var turn atomic.Int64
	front := httptest.NewServer(&httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			target, _ := url.Parse(nodes[turn.Add(1)%2].Load().url)
			r.SetURL(target)
		},
		ErrorHandler: func(w http.ResponseWriter, _ *http.Request, _ error) {
			w.Header().Set("Access-Control-Allow-Origin", "*")
			w.WriteHeader(http.StatusBadGateway)
		},
	})
	defer front.Close()
	shop := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		if r.URL.Path == "/page" {
			fmt.Fprintf(w, assignedPage, front.URL, key)
			return
		}
		fmt.Fprint(w, assignedDriver)
	}))
	defer shop.Close()

	s := nodes[0].Load()
	s.mustStart(t, s.mustExperiment(t, "headline", twoVariants))
	page := browsertest.Open(t, shop.URL)
	for third := range 3 {
		from, to := visitors*third/3, visitors*(third+1)/3
		page.Do(fmt.Sprintf("void drive(%d, %d)", from, to))
		if third < 2 { // in the middle of which a server is killed
			page.Await(fmt.Sprintf("seen > %d", (from+to)/2))
			old := nodes[third].Load()
			if err := old.Process.Kill(); err != nil {
				t.Fatal(err)
			}
			<-old.ended
			nodes[third].Store(serve(strings.TrimPrefix(old.url, "http://")))
		}
		page.Await(fmt.Sprintf("seen === %d", to))
	}
	// What was on its way when a server was killed comes from a page that stays open.
	page.Do(`const stays = document.createElement('iframe'); stays.src = '/page?visitor=0'; onmessage = null; document.body.append(stays)`)
	want := map[string][2]int{} // visitors and conversions
	for n := range visitors {
		variant := hashed("headline", fmt.Sprint("visitor-", n))
		counts := want[variant]
		counts[0]++
		if variant == "b" && n%5 < 4 || variant == "a" && n%10 == 0 {
			counts[1]++
		}
		want[variant] = counts
	}
	s = nodes[0].Load()
	got := func() (counts map[string][2]int, o outcome) {
		counts = map[string][2]int{}
		o = s.outcome(t, "headline")
		for _, v := range o.Metrics[0].Variants {
			counts[v.Variant.Key] = [2]int{v.Visitors, v.Conversions}
		}
		return counts, o
	}
	await(t, "everything has arrived", func() bool {
		counts, _ := got()
		return counts["a"] == want["a"] && counts["b"] == want["b"]
	})
	_, o := got()
	isDecided := o.Metrics[0].Decision == "WINNER" || visitors < 500 // a few visitors decide nothing
	if o.Visitors != visitors || o.SampleRatio.Mismatch || !isDecided || o.Metrics[0].Leader == nil || o.Metrics[0].Leader.Key != "b" {
		t.Errorf("of %v come the results %+v", want, o)
	}
}
