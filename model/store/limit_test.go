package store_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"

	"github.com/goalgraph/goalgraph/model"
	"github.com/goalgraph/goalgraph/model/modeltest"
	"github.com/goalgraph/goalgraph/model/store"
	"github.com/goalgraph/goalgraph/model/store/storetest"
)

func mustOpenLimited(t *testing.T, url string, limit int) *store.Store {
	t.Helper()
	st, err := store.Open(t.Context(), url, store.Options{MaxValues: limit})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { st.Close() })
	return st
}

// A dimension takes so many values and no more, whoever writes, at once or later; those
// that it has stay, and the batch of the caller is not touched.
func TestMaxValues(t *testing.T) {
	storetest.Databases(t, func(t *testing.T, url string) {
		const limit = 20
		st := mustOpen(t, url)
		site, other := mustCreateSite(t, st, "shop.example"), mustCreateSite(t, st, "other.example")
		message := func(writer, n int) model.Message {
			text := fmt.Sprintf("%d-%d", writer, n)
			hit := model.Hit{
				ID: model.MessageIDOf(text), At: model.Millis(20_000*aDay + n*1000), Kind: model.PageView, Name: "/" + text,
				Tags: []string{text, "kept"}, Properties: map[string]string{"plan": text, text: "x"},
				Origin: model.Origin{Referrer: text, UTM: model.UTM{Campaign: text}}, Knows: model.KnowsAll,
			}
			if n%2 == 1 {
				hit.Kind, hit.Name, hit.Knows = model.Event, text, model.KnowsAll&^model.KnowsPage
			}
			return model.Message{AnonymousID: text, Hit: hit}
		}
		var writing sync.WaitGroup
		for writer := range 4 {
			limited := mustOpenLimited(t, url, limit)
			writing.Go(func() {
				for n := 0; n < 60; n += 15 {
					var batch []model.Message
					for i := range 15 {
						batch = append(batch, message(writer, n+i))
					}
					written, err := limited.Write(context.Background(), site.ID, batch)
					if err != nil {
						t.Error(err)
						return
					}
					for i, m := range batch {
						if want := message(writer, n+i); m.Hit.Tags[0] != want.Hit.Tags[0] || len(m.Hit.Properties) != 2 || m.Hit.Properties[want.AnonymousID] != "x" {
							t.Errorf("the caller's message has become %+v", m)
						}
					}
					if n == 45 && written.Overflows["tag"] != 15 {
						t.Errorf("the last batch tells of %v", written.Overflows)
					}
				}
			})
		}
		writing.Wait()

		distinct := map[string]map[string]bool{}
		note := func(dimension, value string) {
			if distinct[dimension] == nil {
				distinct[dimension] = map[string]bool{}
			}
			distinct[dimension][value] = true
		}
		sessions := modeltest.Stored(t, st, site.ID)
		for _, s := range sessions {
			if s.PageViews > 0 { // others have none
				note("entry page", s.EntryPage)
			}
			note("referrer", s.Referrer)
			note("campaign", s.UTM.Campaign)
			for _, tag := range s.Tags {
				note("tag", tag)
			}
			for key, value := range s.Properties {
				note("property", key)
				note("value of "+key, value)
			}
		}
		if len(sessions) != 240 {
			t.Errorf("%d sessions, want all 240", len(sessions))
		}
		for _, dimension := range []string{"entry page", "referrer", "campaign", "tag", "property", "value of plan"} {
			if values := distinct[dimension]; len(values) != limit+1 || !values[model.OtherValue] {
				t.Errorf("%s has %d distinct values, want %d and %s", dimension, len(values), limit, model.OtherValue)
			}
		}
		events, err := st.CountEvents(t.Context(), store.EventQuery{Site: site.ID})
		if err != nil || events != limit+1 {
			t.Errorf("%d event names; %v", events, err)
		}

		// A process that knows nothing finds the values that the site has, and gives others no room.
		var known string
		for value := range distinct["tag"] {
			if value != model.OtherValue && value != "kept" {
				known = value
			}
		}
		again := mustOpenLimited(t, url, limit)
		later := message(9, 0)
		later.Hit.At += aDay
		later.Hit.Tags = []string{known, "new", "newer"}
		written, err := again.Write(t.Context(), site.ID, []model.Message{later})
		if err != nil || written.Overflows["tag"] != 2 {
			t.Errorf("%+v, %v", written, err)
		}
		sessions = modeltest.Stored(t, st, site.ID)
		if last := sessions[len(sessions)-1]; !slices.Equal(last.Tags, []string{known, model.OtherValue}) {
			t.Errorf("tags %v, want %s and others", last.Tags, known)
		}
		// It is a site's own limit.
		if written, err := again.Write(t.Context(), other.ID, []model.Message{later}); err != nil || written.Overflows != nil {
			t.Errorf("%+v, %v", written, err)
		}
	})
}
