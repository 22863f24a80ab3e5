package ofrep

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/time/rate"

	"github.com/goalgraph/goalgraph/model"
	"github.com/goalgraph/goalgraph/model/live"
	"github.com/goalgraph/goalgraph/model/store"
	"github.com/goalgraph/goalgraph/model/store/storetest"
	"github.com/goalgraph/goalgraph/plugins/host"
	"github.com/goalgraph/goalgraph/server/ingest"
)

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// newStore returns a database with a site, and what makes experiments of it that Goalgraph assigns.
func newStore(t *testing.T) (*store.Store, *model.Site, func(key string, change func(*model.Experiment)) *model.Experiment) {
	t.Helper()
	st, err := store.Open(t.Context(), storetest.SQLite(t), store.Options{})
	must(t, err)
	t.Cleanup(func() { st.Close() })
	_, err = st.Migrate(t.Context())
	must(t, err)
	site := &model.Site{Name: "Shop", Domains: []string{"shop.example"}, Timezone: "UTC"}
	must(t, st.CreateSite(t.Context(), site))
	goal := &model.Goal{SiteID: site.ID, Key: "buy", Name: "Buy"}
	must(t, st.CreateGoal(t.Context(), goal))
	return st, site, func(key string, change func(*model.Experiment)) *model.Experiment {
		t.Helper()
		e := &model.Experiment{
			SiteID: site.ID, Key: key, Name: key, Primary: goal.ID, Assignment: model.GoalgraphAssignment, TrafficShare: 1,
			Variants: []model.Variant{{Key: "a", Weight: 1}, {Key: "b", Weight: 1}},
		}
		if change != nil {
			change(e)
		}
		must(t, st.CreateExperiment(t.Context(), e))
		return e
	}
}

// What runs and what is rolled out is a flag, however many newer drafts there are.
func TestFlagsBeforeDrafts(t *testing.T) {
	t.Parallel()
	st, site, experiment := newStore(t)
	now := model.MillisOf(time.Now())
	change := func(e *model.Experiment, change func(*model.Experiment) error) {
		_, err := st.UpdateExperiment(t.Context(), e.ID, change)
		must(t, err)
	}
	start := func(e *model.Experiment) error { return e.Start(now, 0, now) }
	running := experiment("running", nil)
	change(running, start)
	rolledOut := experiment("rolled out", func(e *model.Experiment) { e.Rollout = true })
	change(rolledOut, start)
	change(rolledOut, func(e *model.Experiment) error { return e.Stop("b", now+1, now+1) })
	experiment("oldest", nil)
	const most = 5
	for i := range most {
		change(experiment(fmt.Sprint("stopped ", i), nil), func(e *model.Experiment) error {
			if err := e.Start(now, 0, now); err != nil {
				return err
			}
			return e.Stop("", now+1, now+1)
		})
	}
	for i := range most - 2 {
		experiment(fmt.Sprint("draft ", i), nil)
	}
	h, err := host.New(t.Context(), host.Options{})
	must(t, err)
	t.Cleanup(func() { h.Close() })
	c, err := newCatalog(st, h, slog.New(slog.DiscardHandler), time.Now)
	must(t, err)
	c.most = most
	f, err := c.of(t.Context(), site.ID)
	must(t, err)
	if len(f.all) != most || f.named("running") == nil || f.named("rolled out") == nil || f.named("oldest") != nil {
		t.Errorf("there are %d flags, running %v, rolled out %v, oldest %v", len(f.all), f.named("running"), f.named("rolled out"), f.named("oldest"))
	}
}

// A plugin that cannot answer changes nothing while the site's definitions stay; and what clients say they were told has them looked at
// again, but not more often than that is allowed to.
func TestCatalog(t *testing.T) {
	t.Parallel()
	st, site, experiment := newStore(t)
	e := experiment("x", func(e *model.Experiment) {
		e.Audience = []model.FilterSpec{{Type: "country", Args: json.RawMessage(`{"is":["RO"]}`)}}
	})
	now := model.MillisOf(time.Now())
	_, err := st.UpdateExperiment(t.Context(), e.ID, func(e *model.Experiment) error { return e.Start(now, 0, now) })
	must(t, err)
	h, err := host.New(t.Context(), host.Options{})
	must(t, err)
	t.Cleanup(func() { h.Close() })
	c, err := newCatalog(st, h, slog.New(slog.DiscardHandler), time.Now)
	must(t, err)
	known, err := c.of(t.Context(), site.ID)
	must(t, err)

	kept, _ := c.sites.GetIfPresent(site.ID)
	looked := kept.looked.Load()
	c.doubt(t.Context(), site.ID, known.version)
	if kept.looked.Load() != looked {
		t.Error("the version that is known is doubted")
	}
	c.doubt(t.Context(), site.ID, "another")
	if pause := time.Since(time.Unix(0, looked)); kept.looked.Load() != 0 || pause < doubtPause || c.changes.Load() != 0 {
		t.Errorf("another version is doubted after %v, with %d changes", pause, c.changes.Load())
	}

	site, err = st.Site(t.Context(), site.ID)
	must(t, err)
	set := h.Acquire()
	defer set.Release()
	away, cancel := context.WithCancel(t.Context())
	cancel() // which no plugin answers in
	changed := known.all[0].Experiment
	changed.Audience = []model.FilterSpec{{Type: "country", Args: json.RawMessage(`{"is":["DE"]}`)}} // which the plugin has not said yet
	f := newFlag(away, set, site, "UTC", changed)
	if f.err == nil || !f.isUnknown() {
		t.Fatalf("without its plugin a flag is %+v", f)
	}
	unknown := f
	c.recall(t.Context(), &unknown, nil)
	c.recall(t.Context(), &f, known)
	with := func(f flag) string { return (&flags{site: site, all: []flag{f}}).hash() }
	if f.isUnknown() || with(f) != known.version || !unknown.isUnknown() || with(unknown) == known.version {
		t.Errorf("without its plugin a flag is %+v, and one that was not known %+v", f, unknown)
	}
}

// What cannot be kept waits for the database, as far as there is room; and a site has a quarter of it.
func TestKeeper(t *testing.T) {
	t.Parallel()
	st, site, experiment := newStore(t)
	e := experiment("x", nil)
	list := make([]store.KeptAssignment, maxOfSite+10)
	for i := range list {
		list[i] = store.KeptAssignment{Visitor: fmt.Sprint("v", i), Experiment: e.ID, Run: 1, Variant: "a"}
	}
	k := newKeeper(st, slog.New(slog.DiscardHandler), prometheus.NewCounter(prometheus.CounterOpts{Name: "lost"}))
	k.put(site.ID, list)
	k.put(site.ID+1, list[:1])
	if len(k.waiting[site.ID]) != maxOfSite || k.count != maxOfSite+1 {
		t.Errorf("%d assignments wait, %d of the site", k.count, len(k.waiting[site.ID]))
	}
	away, cancel := context.WithCancel(t.Context())
	cancel()
	if k.flush(away) || k.count != maxOfSite+1 || len(k.waiting[site.ID]) != maxOfSite {
		t.Errorf("after a failure %d assignments wait", k.count)
	}
	if !k.flush(t.Context()) || k.count != 0 {
		t.Errorf("%d assignments wait still", k.count)
	}
	if who, err := st.Assignee(t.Context(), site.ID, "v7", model.Open); err != nil || len(who.Kept) != 1 {
		t.Errorf("of v7 is kept %+v, %v", who, err)
	}
}

// Whoever waits for the database keeps nobody from being answered, and each request takes from what its key may have, whatever it is.
func TestTurnsAndRate(t *testing.T) {
	t.Parallel()
	st, site, experiment := newStore(t)
	now := model.MillisOf(time.Now())
	_, err := st.UpdateExperiment(t.Context(), experiment("x", nil).ID, func(e *model.Experiment) error { return e.Start(now, 0, now) })
	must(t, err)
	plugins, err := host.New(t.Context(), host.Options{})
	must(t, err)
	t.Cleanup(func() { plugins.Close() })
	decoder, err := ingest.NewDecoder(nil)
	must(t, err)
	writing, written := make(chan struct{}), make(chan struct{})
	writer := ingest.NewWriter(st, live.NewMemory(), prometheus.NewRegistry(), nil)
	pipeline := ingest.NewPipeline(ingest.PipelineOptions{Write: func(ctx context.Context, site int64, messages []model.Message) error {
		writing <- struct{}{}
		<-written
		return writer.Write(ctx, site, messages)
	}})
	t.Cleanup(func() { must(t, pipeline.Close(context.Background())) })
	limit := rate.NewLimiter(0, 2)
	h, err := New(Options{Store: st, Host: plugins, Bus: live.NewMemory(), Pipeline: pipeline, Decoder: decoder, Sender: func(_ *http.Request, key string) (*ingest.Sender, error) {
		if key == "slow" {
			return &ingest.Sender{ID: key, Site: site, Rate: limit}, nil
		}
		return &ingest.Sender{ID: key, Site: site}, nil
	}})
	must(t, err)
	h.turns = make(chan struct{}, 1)
	mux := http.NewServeMux()
	h.Register(mux)
	ask := func(key, path, body string) int {
		r := httptest.NewRequest(http.MethodPost, evaluationPath+path, strings.NewReader(body))
		r.Header.Set("X-API-Key", key)
		answer := httptest.NewRecorder()
		mux.ServeHTTP(answer, r)
		return answer.Code
	}
	const ada = `{"context": {"targetingKey": "ada"}}`
	exposed := make(chan int)
	go func() { exposed <- ask("fast", "/x", ada) }()
	<-writing
	if status := ask("fast", "", ada); status != http.StatusOK {
		t.Errorf("while an exposure is written, others are answered %d", status)
	}
	close(written)
	if status := <-exposed; status != http.StatusOK {
		t.Errorf("the exposure is answered %d", status)
	}
	for i, want := range []struct {
		path, body string
		status     int
	}{{"", "nothing", 400}, {"/y", ada, 404}, {"", ada, 429}, {"", "nothing", 429}} {
		if status := ask("slow", want.path, want.body); status != want.status {
			t.Errorf("request %d is answered %d, want %d", i, status, want.status)
		}
	}
}
