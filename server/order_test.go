//go:build system

// The tests in this file run the server, so they have the tag system: see main_test.go.
package main

import (
	"bufio"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/goalgraph/goalgraph/model"
	"github.com/goalgraph/goalgraph/model/modeltest"
	"github.com/goalgraph/goalgraph/model/store"
	"github.com/goalgraph/goalgraph/model/store/storetest"
)

// roundsVariable is how many crowds TestOrder has, of random sizes; one small one without it.
const roundsVariable = "GOALGRAPH_ORDER_ROUNDS"

// delivery is a way in which the messages of a crowd come.
type delivery struct {
	name  string
	order func(r *rand.Rand, instants []instant) []instant
	// files are imported by a process each, senders send to the servers, all at once, and each has its share.
	files, senders int
	// isKilled tells that servers and imports are killed meanwhile, and what they did not acknowledge is sent again.
	isKilled bool
}

func sorted(_ *rand.Rand, instants []instant) []instant { return slices.Clone(instants) }

func reversed(r *rand.Rand, instants []instant) []instant {
	list := repeated(r, instants)
	slices.Reverse(list)
	return list
}

func shuffled(r *rand.Rand, instants []instant) []instant {
	list := repeated(r, instants)
	r.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
	return list
}

// The first one says what the others are to come to.
var deliveries = []delivery{
	{name: "sorted, a file", order: sorted, files: 1},
	{name: "sorted, several senders", order: sorted, senders: 3},
	{name: "reversed, a sender", order: reversed, senders: 1},
	{name: "shuffled, files", order: shuffled, files: 3},
	{name: "shuffled, senders", order: shuffled, senders: 4},
	{name: "killed", order: shuffled, files: 3, senders: 3, isKilled: true},
}

// However a crowd's messages come, and whatever is killed meanwhile, sessions, visitors, counts and results are the same.
func TestOrder(t *testing.T) {
	t.Parallel()
	rounds, set := 1, os.Getenv(roundsVariable)
	if set != "" {
		var err error
		if rounds, err = strconv.Atoi(set); err != nil || rounds < 1 {
			t.Fatalf("%s: %q is no number from 1 on", roundsVariable, set)
		}
	}
	for round := range rounds {
		r := rand.New(rand.NewPCG(uint64(round), 15))
		populations, messages := 6, 120
		if set != "" {
			populations, messages = 1+r.IntN(10), 1+r.IntN(400)
		}
		c := newCrowd(t, r, populations, messages)
		t.Run(fmt.Sprint(round), func(t *testing.T) {
			t.Logf("%d messages in %d instants, %d sessions", c.messages, len(c.instants), len(c.sessions))
			for kind, newDatabase := range map[string]func(testing.TB) string{"sqlite": storetest.SQLite, "postgresql": storetest.PostgreSQL} {
				t.Run(kind, func(t *testing.T) {
					t.Parallel()
					servers := map[string]int{"sqlite": 1, "postgresql": 2}[kind]
					var wantRows []string
					var wantAnswers string
					for i, d := range deliveries {
						t.Run(d.name, func(t *testing.T) {
							r := rand.New(rand.NewPCG(uint64(round), uint64(i)))
							rows, answers := d.run(t, r, c, newDatabase(t), servers)
							if i == 0 {
								wantRows, wantAnswers = rows, answers
							}
							equalContents(t, rows, wantRows)
							equalAnswers(t, answers, wantAnswers)
						})
					}
				})
			}
		})
	}
}

// seat is a server that is started again when it is killed.
type seat struct {
	mu      sync.Mutex
	current *server
}

// server returns the server, when it runs.
func (s *seat) server() *server {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.current
}

// run delivers the messages to servers of a new database, and returns what this has and what the servers answer then.
func (d delivery) run(t *testing.T, r *rand.Rand, c *crowd, database string, servers int) (rows []string, answers string) {
	seats := make([]*seat, servers)
	for i := range seats {
		seats[i] = &seat{current: mustServe(t, "--database", database)}
	}
	defineCrowd(t, seats[0].current)
	shares := make([][]instant, d.files+d.senders)
	for _, m := range d.order(r, c.instants) {
		at := r.IntN(len(shares))
		shares[at] = append(shares[at], m)
	}
	imports := make([]*process, d.files)
	files := make([]string, d.files)
	begin := func(i int) {
		imports[i] = program(t, "import", "--database", database, "--site", "shop.example", "--format", "messages", files[i]).mustStart(t)
	}
	for i, share := range shares[:d.files] {
		files[i] = writeInstants(t, share)
		begin(i)
	}
	var sending sync.WaitGroup
	for i, share := range shares[d.files:] {
		bodies := batches(r, share)
		sending.Go(func() {
			for _, body := range bodies {
				seats[i%servers].send(t, body)
			}
		})
	}
	db := openSQL(t, database)
	n := kills(t)
	for i := range n {
		enough, kept := (i+1)*c.messages/(n+1), 0
		await(t, fmt.Sprintf("%d messages", enough), func() bool {
			kept = number(t, db, "SELECT count(*) FROM messages WHERE id_low <> 0")
			return kept >= enough || t.Failed()
		})
		for _, s := range seats { // what it keeps in memory then follows what is written later
			s.current.mustAsk(t, crowdQuestion)
		}
		if !d.isKilled {
			continue
		}
		// The import first: what it writes is then cut off, and what the server writes goes on without it.
		which := i % d.files
		imports[which].Process.Kill()
		code := imports[which].result(t)
		seats[i%servers].kill(t, database)
		t.Logf("killed after %d of %d messages; the import had the exit code %d", kept, c.messages, code)
		begin(which)
	}
	sending.Wait()
	for _, p := range imports {
		if code := p.result(t); code != done {
			t.Fatalf("import: exit code %d: %s", code, &p.stderr)
		}
		if summary := summaryOf(t, p); summary.Rejected > 0 {
			t.Errorf("import: %+v: %s", summary, &p.stderr)
		}
	}

	st, err := store.Open(t.Context(), database, store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	site, err := st.SiteByDomain(t.Context(), "shop.example")
	if err != nil {
		t.Fatal(err)
	}
	modeltest.EqualSessions(t, modeltest.Stored(t, st, site.ID), c.sessions)
	for i, s := range seats {
		answer := askCrowd(t, s.current, c)
		if i > 0 {
			equalAnswers(t, answer, answers)
		}
		answers = answer
		s.current.mustStop(t)
	}
	return contents(t, database), answers
}

func equalAnswers(t *testing.T, got, want string) {
	t.Helper()
	of := strings.Split(want, "\n")
	for i, line := range strings.Split(got, "\n") {
		if i >= len(of) || line != of[i] {
			t.Errorf("line %d of the answer: %s\n%s\nwant\n%s", i+1, strings.TrimSpace(line), got, want)
			return
		}
	}
}

// kill kills the server and starts another one.
func (s *seat) kill(t *testing.T, database string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.current.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	<-s.current.ended
	s.current = mustServe(t, "--database", database)
}

// send sends a batch until it is acknowledged.
func (s *seat) send(t *testing.T, body string) {
	for t.Context().Err() == nil { // or else the test has failed
		a, err := s.server().track("shop.example", "/v1/batch", []byte(body))
		switch {
		case err != nil: // the server was killed
		case a.status == http.StatusOK && !strings.Contains(a.body, "rejected"):
			return
		case a.status != http.StatusServiceUnavailable:
			t.Errorf("%s: %+v", body, a)
			return
		}
	}
}

// batches makes requests of some messages each.
func batches(r *rand.Rand, instants []instant) (bodies []string) {
	for len(instants) > 0 {
		n := min(len(instants), 1+r.IntN(1+r.IntN(30)))
		var messages []string
		for _, m := range instants[:n] {
			messages = append(messages, m.messages...)
		}
		bodies = append(bodies, `{"batch":[`+strings.Join(messages, ",")+`]}`)
		instants = instants[n:]
	}
	return bodies
}

// lineBytes is how long lines of files are: so long that an import writes every 128 of them in a transaction.
const lineBytes = 64 << 10

// writeInstants writes a file of messages.
func writeInstants(t *testing.T, instants []instant) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "messages.jsonl.gz")
	f, err := os.Create(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	packed, err := gzip.NewWriterLevel(f, gzip.BestSpeed)
	if err != nil {
		t.Fatal(err)
	}
	w := bufio.NewWriter(packed)
	for _, m := range instants {
		for _, message := range m.messages {
			fmt.Fprintf(w, "%-*s\n", lineBytes, message)
		}
	}
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	if err := packed.Close(); err != nil {
		t.Fatal(err)
	}
	return file
}

// defineCrowd makes the site with what is asked of it later. The experiments begin after a crowd's first messages and end
// before its last ones.
func defineCrowd(t *testing.T, s *server) {
	t.Helper()
	var site struct {
		CreateSite struct{ Site struct{ ID string } }
	}
	mustAskInto(t, s, &site, `mutation { createSite(input: {name: "Shop", domains: ["shop.example"]}) { site { id } } }`, nil)
	id := site.CreateSite.Site.ID
	for name, filters := range map[string][]map[string]any{"new": {{"visitor": map[string]any{"kind": "NEW"}}}, "returning": {{"visitor": map[string]any{"kind": "RETURNING"}}}} {
		mustAskInto(t, s, &struct{}{}, `mutation($s: ID!, $n: String!, $f: [FilterInput!]!) { createSegment(input: {siteId: $s, name: $n, filters: $f}) { segment { id } } }`,
			map[string]any{"s": id, "n": name, "f": filters})
	}
	var goal struct {
		CreateGoal struct{ Goal struct{ ID string } }
	}
	mustAskInto(t, s, &goal, `mutation($s: ID!) { createGoal(input: {siteId: $s, key: "buy", name: "Buy"}) { goal { id } } }`, map[string]any{"s": id})
	for key, attribution := range map[string]string{"x": "SESSION", "y": "EXPERIMENT"} {
		var experiment struct {
			CreateExperiment struct{ Experiment struct{ ID string } }
		}
		mustAskInto(t, s, &experiment, `mutation($s: ID!, $g: ID!, $k: String!, $a: Attribution!) { createExperiment(input: {
			siteId: $s, key: $k, name: $k, attribution: $a, variants: [{key: "a"}, {key: "b"}], primaryMetric: $g}) { experiment { id } } }`,
			map[string]any{"s": id, "g": goal.CreateGoal.Goal.ID, "k": key, "a": attribution})
		mustAskInto(t, s, &struct{}{}, `mutation($e: ID!, $from: Time!, $to: Time!) { startExperiment(id: $e, at: $from) { experiment { id } } stopExperiment(id: $e, at: $to) { experiment { id } } }`,
			map[string]any{"e": experiment.CreateExperiment.Experiment.ID, "from": crowdFrom.Add(10 * time.Minute), "to": crowdFrom.Add(5 * 24 * time.Hour)})
	}
}

const crowdResults = `{ results { visitors contaminated unknownVariants metrics { variants {
	visitors conversions conversionRate { mean low high } value { total } series { at visitors conversions } } } } }`

const crowdQuestion = `{ site(domain: "shop.example") {
	sessionCount(range: { from: "2000-01-01T00:00:00Z" })
	goalCards(range: { from: "2000-01-01T00:00:00Z" }) { cells { segment { name } sessions conversions visitors valueTotal } }
	x: experiment(key: "x") ` + crowdResults + ` y: experiment(key: "y") ` + crowdResults + `
	events { nodes { name count firstSeen lastSeen } } } }`

// askCrowd asks for counts and results, and checks those that follow from the crowd's sessions.
func askCrowd(t *testing.T, s *server, c *crowd) string {
	t.Helper()
	type count struct {
		Segment                         struct{ Name string }
		Sessions, Conversions, Visitors int
		ValueTotal                      float64
	}
	type result struct {
		Visitors, Contaminated, UnknownVariants int
		Metrics                                 []struct {
			Variants []struct {
				Visitors, Conversions int
				ConversionRate        struct{ Mean, Low, High float64 }
				Value                 struct{ Total float64 }
				Series                []struct {
					At                    string
					Visitors, Conversions int
				}
			}
		}
	}
	var data struct {
		Site struct {
			SessionCount int
			GoalCards    []struct{ Cells []count }
			X, Y         struct{ Results result }
			Events       struct {
				Nodes []struct {
					Name                string
					Count               int
					FirstSeen, LastSeen string
				}
			}
		}
	}
	mustAskInto(t, s, &data, crowdQuestion, nil)
	site := &data.Site
	slices.SortFunc(site.GoalCards[0].Cells, func(a, b count) int { return strings.Compare(a.Segment.Name, b.Segment.Name) })
	var first, later []model.Session
	for _, session := range c.sessions {
		if session.First {
			first = append(first, session)
		} else {
			later = append(later, session)
		}
	}
	if site.SessionCount != len(c.sessions) {
		t.Errorf("%d sessions, want %d", site.SessionCount, len(c.sessions))
	}
	for i, list := range [][]model.Session{c.sessions, first, later} { // All is there by itself
		want := count{Segment: site.GoalCards[0].Cells[i].Segment}
		visitors := map[string]bool{}
		var total model.Sum
		for _, session := range list {
			want.Sessions++
			visitors[session.VisitorKey] = true
			if event, found := session.Event("buy"); found {
				want.Conversions++
				total = total.Add(event.Sum)
			}
		}
		want.Visitors, want.ValueTotal = len(visitors), total.Float64()
		if got := site.GoalCards[0].Cells[i]; got != want {
			t.Errorf("counts %+v, want %+v", got, want)
		}
	}
	text, err := json.MarshalIndent(data, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
