//go:build system

// The tests in this file run the server, so they have the tag system: see main_test.go.
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/goalgraph/goalgraph/graph"
	"github.com/goalgraph/goalgraph/model"
	"github.com/goalgraph/goalgraph/model/filter"
	"github.com/goalgraph/goalgraph/model/filter/filtertest"
	"github.com/goalgraph/goalgraph/model/store"
	"github.com/goalgraph/goalgraph/model/store/storetest"
	"github.com/goalgraph/goalgraph/plugins/builtin"
	"github.com/goalgraph/goalgraph/plugins/host"
	"github.com/goalgraph/goalgraph/plugins/host/hosttest"
)

// The host of TestLiveServers starts this program as its plugin.
func init() { builtin.ServeIfAsked() }

// definition is a segment or a goal as the servers have it.
type definition struct {
	id      string
	filters []model.FilterSpec
	value   string // the goal's valueEvent
}

// liveSite is a site about which the servers are asked.
type liveSite struct {
	nodeID   string
	number   int64
	zone     *time.Location
	days     int // from filtertest.Day to a day on which the zone's clocks change
	segments []definition
	goals    []definition
}

// cell is what a goal card says of a segment.
type cell struct {
	Sessions, Conversions, Visitors int
	ValueTotal                      *float64
	Series                          []point
}

type point struct {
	At                    time.Time
	Sessions, Conversions int
}

// randomFilter returns a filter of any built-in type, over the words of
// filtertest.
func randomFilter(r *rand.Rand) model.FilterSpec {
	some := func(of ...string) []string {
		list := make([]string, 1+r.IntN(2))
		for i := range list {
			list[i] = of[r.IntN(len(of))]
		}
		return list
	}
	words := func() []string { return some("a", "b", "ab", "aB", "aab", "a*b", "é", "x y", "日本") }
	globs := func() []string { return some("*", "/*", "/a", "/a/*", "/", "*b") }
	hosts := func() []string { return some("*", "a*", "ab", "*b", "(direct)", "b*") }
	either := func(values []string) map[string]any {
		return map[string]any{[]string{"is", "isNot"}[r.IntN(2)]: values}
	}
	from := func(n float64) map[string]any {
		return map[string]any{[]string{"min", "max"}[r.IntN(2)]: n}
	}
	var args map[string]any
	types := []string{"browser", "os", "language", "country", "device", "entryPage", "exitPage", "hostname", "region", "city", "referrer", "ip", "pages", "tags", "events",
		"eventValue", "pageViews", "sessionLength", "property", "utm", "visitor"}
	name := types[r.IntN(len(types))]
	switch name {
	case "browser", "os":
		args = either(words())
	case "language":
		args = either(some("en", "ab", "ba", "aab"))
	case "country":
		args = either(some("RO", "US", "DE"))
	case "device":
		args = either(some("DESKTOP", "MOBILE", "TABLET", "OTHER"))
	case "entryPage", "exitPage", "city", "region":
		args = either(globs())
	case "referrer", "hostname":
		args = either(hosts())
	case "ip":
		args = map[string]any{"is": some("10.0.0.1", "10.0.0.0/8", "192.168.0.0/24", "::/0", "2001:db8::/32")}
	case "pages":
		args = map[string]any{"all": globs()}
	case "tags":
		args = map[string]any{"all": words()}
	case "events":
		args = map[string]any{"all": some("purchase", "sign up", "é")}
	case "eventValue":
		args = from([]float64{-1, 0, 0.1, 1, 2.5, 100}[r.IntN(6)])
		args["event"] = some("purchase", "sign up")[0]
	case "pageViews":
		args = from(float64(r.IntN(6)))
	case "sessionLength":
		args = from(float64(r.IntN(6) * 10))
	case "property":
		args = either(words())
		args["key"] = some("plan", `ké"y`)[0]
	case "utm":
		args = map[string]any{[]string{"source", "medium", "campaign", "term", "content"}[r.IntN(5)]: words()}
	case "visitor":
		if args = map[string]any{"kind": some("NEW", "RETURNING")[0]}; r.IntN(3) == 0 {
			args = map[string]any{"is": words()}
		}
	}
	text, err := json.Marshal(args)
	if err != nil {
		panic(err)
	}
	return model.FilterSpec{Type: name, Args: text}
}

// inputs are filters as a client writes them.
func inputs(filters []model.FilterSpec) []map[string]any {
	list := []map[string]any{}
	for _, spec := range filters {
		list = append(list, map[string]any{spec.Type: spec.Args})
	}
	return list
}

// ask asks with variables. What the server refuses is an error.
func (s *server) ask(query string, variables map[string]any, data any) error {
	body, err := json.Marshal(map[string]any{"query": query, "variables": variables})
	if err != nil {
		return err
	}
	request, err := http.NewRequest(http.MethodPost, s.url+"/graphql", bytes.NewReader(body))
	if err != nil {
		return err
	}
	request.Header.Set("Content-Type", "application/json")
	a, err := do(request, nil)
	if err != nil {
		return err
	}
	answered := struct{ Data, Errors json.RawMessage }{}
	if err := json.Unmarshal([]byte(a.body), &answered); err != nil {
		return fmt.Errorf("%w: %s", err, a.body)
	}
	if answered.Errors != nil {
		return fmt.Errorf("%s", answered.Errors)
	}
	return json.Unmarshal(answered.Data, data)
}

// newLiveSite makes a site with random segments and goals, some on each server.
func newLiveSite(t *testing.T, r *rand.Rand, st *store.Store, plugins *host.Set, servers []*server, zone string, days int) *liveSite {
	t.Helper()
	location, err := time.LoadLocation(zone)
	if err != nil {
		t.Fatal(err)
	}
	site := &liveSite{zone: location, days: days}
	domain := fmt.Sprintf("s%d.example", r.Uint64())
	var made struct {
		CreateSite struct{ Site struct{ ID string } }
	}
	if err := servers[0].ask(`mutation($i: CreateSiteInput!) { createSite(input: $i) { site { id } } }`,
		map[string]any{"i": map[string]any{"name": "Shop", "domains": []string{domain}, "timezone": zone}}, &made); err != nil {
		t.Fatal(err)
	}
	site.nodeID = made.CreateSite.Site.ID
	stored, err := st.SiteByDomain(t.Context(), domain)
	if err != nil {
		t.Fatal(err)
	}
	site.number = stored.ID
	for len(site.segments) < 8 || len(site.goals) < 8 {
		d := definition{value: []string{"", "purchase", "sign up"}[r.IntN(3)]}
		for range r.IntN(3) {
			d.filters = append(d.filters, randomFilter(r))
		}
		if _, err := plugins.Merge(t.Context(), d.filters, nil); err != nil {
			t.Fatalf("%s: %v", inputs(d.filters), err)
		}
		server := servers[r.IntN(len(servers))]
		input := map[string]any{"siteId": site.nodeID, "name": "random", "filters": inputs(d.filters)}
		if len(site.segments) < 8 {
			var data struct {
				CreateSegment struct{ Segment struct{ ID string } }
			}
			err := server.ask(`mutation($i: CreateSegmentInput!) { createSegment(input: $i) { segment { id } } }`, map[string]any{"i": input}, &data)
			if err != nil {
				t.Fatalf("%s: %v", inputs(d.filters), err)
			}
			d.id = data.CreateSegment.Segment.ID
			site.segments = append(site.segments, d)
			continue
		}
		input["key"] = fmt.Sprint("goal ", len(site.goals))
		if d.value != "" {
			input["valueEvent"] = d.value
		}
		var data struct {
			CreateGoal struct{ Goal struct{ ID string } }
		}
		if err := server.ask(`mutation($i: CreateGoalInput!) { createGoal(input: $i) { goal { id } } }`, map[string]any{"i": input}, &data); err != nil {
			t.Fatalf("%s: %v", inputs(d.filters), err)
		}
		d.id = data.CreateGoal.Goal.ID
		site.goals = append(site.goals, d)
	}
	return site
}

// visits are messages of some visits around the site's day, early and late.
func (s *liveSite) visits(r *rand.Rand) (batch []model.Message) {
	for range 1 + r.IntN(3) {
		late := model.Millis(s.days*24*60+(r.IntN(400)-200)*15) * 60 * 1000
		for _, hit := range filtertest.RandomVisit(r) {
			hit.At += late
			batch = append(batch, model.Message{AnonymousID: hit.Visitor, Hit: hit})
		}
	}
	return batch
}

// state is the revisions of the site's partitions, and their sessions if asked.
func (s *liveSite) state(ctx context.Context, st *store.Store, withSessions bool) (revisions []byte, sessions []model.Session, err error) {
	partitions, err := st.Partitions(ctx, s.number, model.Range{From: -model.Open, To: model.Open})
	if err != nil {
		return nil, nil, err
	}
	for _, partition := range partitions {
		revisions = fmt.Appendf(revisions, "%d at %d, ", partition.ID, partition.Revision)
		if !withSessions {
			continue
		}
		err := st.EachSession(ctx, partition.SiteID, partition.ID, true, func(session *model.Session) error {
			sessions = append(sessions, *session)
			return nil
		})
		if err != nil {
			return nil, nil, err
		}
	}
	return revisions, sessions, nil
}

// begins tells whether an interval of the zone begins at an instant.
func begins(interval string, at time.Time) bool {
	switch {
	case at.Second() != 0 || at.Minute() != 0:
		return false
	case interval == "HOUR":
		return true
	case at.Hour() != 0: // none of the zones here has a day without midnight
		return false
	case interval == "WEEK":
		return at.Weekday() == time.Monday
	case interval == "MONTH":
		return at.Day() == 1
	}
	return true
}

// check holds a cell against counting the sessions one by one.
func (c *cell) check(sessions []model.Session, active, merged filter.Expr, in model.Range, value, interval string, zone *time.Location) error {
	want := cell{Series: make([]point, len(c.Series))}
	visitors := map[string]bool{}
	var total model.Sum
	for i, p := range c.Series {
		want.Series[i].At = p.At
		if !begins(interval, p.At.In(zone)) || i > 0 && !c.Series[i-1].At.Before(p.At) {
			return fmt.Errorf("the series has a point of %s at %v", interval, p.At.In(zone))
		}
	}
	for i := range sessions {
		session := &sessions[i]
		if !in.Contains(session.Start) {
			continue
		}
		behind, _ := slices.BinarySearchFunc(c.Series, session.Start, func(p point, start model.Millis) int {
			if model.MillisOf(p.At) <= start {
				return -1
			}
			return 1
		})
		if behind == 0 {
			return fmt.Errorf("no point of the series holds %v", session.Start.Time())
		}
		if active.Match(session) {
			want.Sessions++
			want.Series[behind-1].Sessions++
			visitors[session.VisitorKey] = true
		}
		if merged.Match(session) {
			want.Conversions++
			want.Series[behind-1].Conversions++
			event, _ := session.Event(value)
			total = total.Add(event.Sum)
		}
	}
	want.Visitors = len(visitors)
	switch {
	case c.Sessions != want.Sessions || c.Conversions != want.Conversions || c.Visitors != want.Visitors || !slices.Equal(c.Series, want.Series):
		return fmt.Errorf("it is %+v, want %+v", c, want)
	case (c.ValueTotal == nil) != (value == ""):
		return fmt.Errorf("whether it has a value: %t, of %q", c.ValueTotal != nil, value)
	case c.ValueTotal != nil && *c.ValueTotal != total.Float64():
		return fmt.Errorf("its value is %v, want %v of %q", *c.ValueTotal, total, value)
	}
	return nil
}

// question asks a server for cards with random segments, goals, range and
// interval, and checks the cells. conclusive is how many of them no write met.
func (s *liveSite) question(ctx context.Context, r *rand.Rand, st *store.Store, plugins *host.Set, server *server) (conclusive int, err error) {
	pick := func(from []definition) (some []definition, ids []string) {
		some = slices.Clone(from)
		r.Shuffle(len(some), func(i, j int) { some[i], some[j] = some[j], some[i] })
		some = some[:1+r.IntN(3)]
		for _, d := range some {
			ids = append(ids, d.id)
		}
		return some, ids
	}
	segments, segmentIDs := pick(s.segments)
	goals, goalIDs := pick(s.goals)
	at := func() model.Millis {
		return filtertest.Day.Start() + model.Millis(s.days)*24*60*60*1000 + model.Millis(r.IntN(4*24*4)-2*24*4)*15*60*1000 + model.Millis(r.IntN(3)-1)
	}
	in := model.Range{From: at(), To: at()}
	if in.From > in.To {
		in.From, in.To = in.To, in.From
	}
	given := map[string]any{"from": in.From.Time().Format(time.RFC3339Nano)}
	intervals := []string{"DAY", "WEEK", "MONTH", "HOUR"}
	interval := intervals[r.IntN(4)]
	if interval != "HOUR" && r.IntN(3) == 0 {
		in.To = model.Open
	} else {
		given["to"] = in.To.Time().Format(time.RFC3339Nano)
	}
	before, sessions, err := s.state(ctx, st, true)
	if err != nil {
		return 0, err
	}
	var data struct {
		Site struct{ GoalCards []struct{ Cells []cell } }
	}
	err = server.ask(`query($site: ID!, $segments: [ID!], $goals: [ID!], $range: TimeRange!, $interval: Interval!) { site(id: $site) {
		goalCards(segments: $segments, goals: $goals, range: $range) { cells { sessions conversions visitors valueTotal series(interval: $interval) { at sessions conversions } } } } }`,
		map[string]any{"site": s.nodeID, "segments": segmentIDs, "goals": goalIDs, "range": given, "interval": interval}, &data)
	if err != nil {
		return 0, err
	}
	after, _, err := s.state(ctx, st, false)
	if err != nil || !slices.Equal(before, after) {
		return 0, err
	}
	for g, goal := range goals {
		for i, segment := range segments {
			active, err := plugins.Merge(ctx, segment.filters, nil)
			if err != nil {
				return 0, err
			}
			merged, err := plugins.Merge(ctx, segment.filters, goal.filters)
			if err != nil {
				return 0, err
			}
			if err := data.Site.GoalCards[g].Cells[i].check(sessions, active.Predicate, merged.Predicate, in, goal.value, interval, s.zone); err != nil {
				return 0, fmt.Errorf("segment %s, goal %s, %v by %s: %w", inputs(segment.filters), inputs(goal.filters), given, interval, err)
			}
			conclusive++
		}
	}
	return conclusive, nil
}

// Two servers over one database and one Redis answer as counting the sessions one
// by one does, while a third process writes, Redis is killed, and a server is
// killed and started again.
func TestLiveServers(t *testing.T) {
	t.Parallel()
	target := 300
	if text := os.Getenv("SOAK_QUESTIONS"); text != "" {
		questions, err := strconv.Atoi(text)
		if err != nil {
			t.Fatal(err)
		}
		target = questions / 5
	}
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 1))
	database, shared := storetest.PostgreSQL(t), storetest.RedisServer(t)
	serve := func() *server { return mustServe(t, "--database", database, "--redis", shared.URL) }
	servers := []*server{serve(), serve()}
	st, err := store.Open(t.Context(), database, store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { st.Close() })
	plugins := hosttest.Start(t, host.Options{Taken: graph.HasType, CallTimeout: limit}).Acquire()
	// filtertest.Day is 2024-10-04; clocks change on 2024-10-06, -27, and 2024-11-03.
	sites := []*liveSite{
		newLiveSite(t, r, st, plugins, servers, "UTC", 0),
		newLiveSite(t, r, st, plugins, servers, "Australia/Sydney", 2),
		newLiveSite(t, r, st, plugins, servers, "Europe/Bucharest", 23),
		newLiveSite(t, r, st, plugins, servers, "America/New_York", 30),
		newLiveSite(t, r, st, plugins, servers, "Asia/Kolkata", 5),
	}
	ctx, cancel := context.WithCancel(t.Context())
	var writing sync.WaitGroup
	defer writing.Wait()
	defer cancel()
	writing.Go(func() {
		r := rand.New(rand.NewPCG(seed, 2))
		for {
			site := sites[r.IntN(len(sites))]
			if _, err := st.Write(ctx, site.number, site.visits(r)); err != nil && ctx.Err() == nil {
				t.Error(err)
				return
			}
			select {
			case <-ctx.Done():
				return
			case <-time.After(time.Duration(r.IntN(40)) * time.Millisecond):
			}
		}
	})
	conclusive, asked := 0, 0
	stopped, restarted := false, false
	for ; conclusive < target && !t.Failed(); asked++ {
		if !restarted && conclusive > target/3 {
			restarted = true
			if err := servers[1].Process.Kill(); err != nil {
				t.Fatal(err)
			}
			<-servers[1].ended
			servers[1] = serve()
		}
		if !stopped && conclusive > target/2 {
			stopped = true
			if err := shared.Stop(); err != nil {
				t.Fatal(err)
			}
		}
		n, err := sites[r.IntN(len(sites))].question(ctx, r, st, plugins, servers[r.IntN(2)])
		if err != nil {
			t.Fatal(err)
		}
		conclusive += n
	}
	t.Logf("%d conclusive cells of %d questions", conclusive, asked)
}
