package store_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/goalgraph/goalgraph/model"
	"github.com/goalgraph/goalgraph/model/store"
)

func TestSites(t *testing.T) {
	onEach(t, func(t *testing.T, st *store.Store) {
		ctx := t.Context()
		site := &model.Site{Name: " Shop ", Domains: []string{"Shop.example", "b.example", "a.example"}, Timezone: "Europe/Bucharest"}
		if err := st.CreateSite(ctx, site); err != nil {
			t.Fatal(err)
		}
		if site.ID == 0 || time.Since(site.UpdatedAt) > time.Hour {
			t.Errorf("the site has the id %d and changed at %v", site.ID, site.UpdatedAt)
		}
		for _, domain := range []string{"shop.example", "SHOP.example.", "a.example"} {
			got, err := st.SiteByDomain(ctx, domain)
			if err != nil {
				t.Fatal(err)
			}
			mustEqual(t, "site of "+domain, got, &model.Site{ID: site.ID, Name: "Shop", Domains: []string{"shop.example", "b.example", "a.example"}, Timezone: "Europe/Bucharest", Addresses: model.WholeAddress, IgnoredReferrers: []string{}, Bots: model.ExcludeBots, UpdatedAt: site.UpdatedAt})
		}
		all, err := st.Segments(ctx, store.SegmentQuery{Site: site.ID}, store.Page{})
		if err != nil {
			t.Fatal(err)
		}
		if len(all) != 1 || all[0].Name != "All" || !all[0].Active || len(all[0].Filters) != 0 {
			t.Errorf("the new site has the segments %+v", all)
		}

		other := mustCreateSite(t, st, "other.example")
		mustBe(t, st.CreateSite(ctx, &model.Site{Name: "Twin", Domains: []string{"new.example", "b.example"}, Timezone: "UTC"}), model.Conflict, "domains")
		_, err = st.UpdateSite(ctx, other.ID, func(s *model.Site) error { s.Domains = []string{"a.example"}; return nil })
		mustBe(t, err, model.Conflict, "domains")
		_, err = st.SiteByDomain(ctx, "new.example")
		mustBe(t, err, model.NotFound, "")
		mustBe(t, st.CreateSite(ctx, &model.Site{Timezone: "UTC"}), model.BadInput, "name")

		updated, err := st.UpdateSite(ctx, site.ID, func(s *model.Site) error {
			s.Name, s.Domains, s.Timezone, s.Addresses = "Store", []string{"a.example", "c.example"}, "UTC", model.NoAddress
			s.IgnoredReferrers, s.Bots = []string{"Pay.example.", "pay.example", "xn--caf-dma.example"}, model.IncludeBots
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		read, err := st.Site(ctx, site.ID)
		if err != nil {
			t.Fatal(err)
		}
		if !read.UpdatedAt.After(site.UpdatedAt) {
			t.Errorf("changed at %v, after %v", read.UpdatedAt, site.UpdatedAt)
		}
		if read.Revision <= site.Revision || updated.Revision != 0 {
			t.Errorf("revisions %d after %d, and of what the update returns %d", read.Revision, site.Revision, updated.Revision)
		}
		updated.Revision = read.Revision
		mustEqual(t, "updated site", read, &model.Site{ID: site.ID, Name: "Store", Domains: []string{"a.example", "c.example"}, Timezone: "UTC", Addresses: model.NoAddress, IgnoredReferrers: []string{"pay.example", "café.example"}, Bots: model.IncludeBots, UpdatedAt: read.UpdatedAt, Revision: read.Revision})
		mustEqual(t, "what the update returns", updated, read)
		_, err = st.UpdateSite(ctx, site.ID, func(s *model.Site) error { s.IgnoredReferrers = []string{"https://pay.example"}; return nil })
		mustBe(t, err, model.BadInput, "ignoredReferrers")
		_, err = st.UpdateSite(ctx, site.ID, func(s *model.Site) error { s.Bots = "SOME"; return nil })
		mustBe(t, err, model.BadInput, "bots")
		refused := fmt.Errorf("no")
		if _, err := st.UpdateSite(ctx, site.ID, func(s *model.Site) error { s.Name = "x"; return refused }); model.CodeOf(err) != model.Internal || !strings.Contains(err.Error(), "no") {
			t.Errorf("error %v", err)
		}
		_, err = st.UpdateSite(ctx, site.ID, func(s *model.Site) error { s.Timezone = "Mars"; return nil })
		mustBe(t, err, model.BadInput, "timezone")
		sites, err := st.Sites(ctx)
		if err != nil {
			t.Fatal(err)
		}
		mustEqual(t, "sites", sites, []model.Site{*read, *other})
		sites, err = st.SitesByID(ctx, []int64{other.ID, 999})
		if err != nil {
			t.Fatal(err)
		}
		mustEqual(t, "sites by id", sites, []model.Site{*other})
		if sites, err := st.SitesByID(ctx, nil); err != nil || len(sites) != 0 {
			t.Errorf("no ids give %v, %v", sites, err)
		}

		_, err = st.Site(ctx, 999)
		mustBe(t, err, model.NotFound, "")
		_, err = st.UpdateSite(ctx, 999, func(*model.Site) error { t.Error("called"); return nil })
		mustBe(t, err, model.NotFound, "")
		mustBe(t, st.DeleteSite(ctx, 999, nil), model.NotFound, "")
		_, err = st.SiteByDomain(ctx, "a\x00b\xff")
		mustBe(t, err, model.NotFound, "")
	})
}

// tables returns what is in every table but the migrations'.
func tables(tb testing.TB, st *store.Store) string {
	var b strings.Builder
	for _, table := range []string{"sites", "site_domains", "goals", "segments", "partitions", "visitors", "links", "messages", "sessions", "hits", "events"} {
		lines := query(tb, st, "SELECT * FROM "+table)
		slices.Sort(lines)
		for _, line := range lines {
			fmt.Fprintf(&b, "%s: %s\n", table, line)
		}
	}
	return b.String()
}

func TestDeleteSiteErasesEverything(t *testing.T) {
	onEach(t, func(t *testing.T, st *store.Store) {
		ctx := t.Context()
		fill := func(site *model.Site) {
			mustCreateGoal(t, st, site.ID, "a", "a")
			if err := st.ConvertSegmentToGoal(ctx, mustCreateSegment(t, st, site.ID, "b", true).ID, &model.Goal{}, nil); err != nil {
				t.Fatal(err)
			}
			messages := randomMessages(newRand(5), 300)
			for i := range messages {
				messages[i].UserID = "user of " + messages[i].AnonymousID
			}
			if _, err := st.Write(ctx, site.ID, messages); err != nil {
				t.Fatal(err)
			}
			computation, err := st.Computation(ctx, site.ID, "a b")
			if err != nil {
				t.Fatal(err)
			}
			partitions, err := st.Partitions(ctx, site.ID, model.Range{From: -model.Open, To: model.Open})
			if err != nil {
				t.Fatal(err)
			}
			if err := st.SaveComputed(ctx, store.ComputedSet{SiteID: site.ID, PartitionID: partitions[0].ID, ComputationID: computation.ID, Revision: partitions[0].Revision, Data: []byte("x")}); err != nil {
				t.Fatal(err)
			}
		}
		kept := mustCreateSite(t, st, "kept.example")
		fill(kept)
		before := tables(t, st)
		site := mustCreateSite(t, st, "shop.example")
		fill(site)
		if err := st.DeleteSite(ctx, site.ID, nil); err != nil {
			t.Fatal(err)
		}
		if after := tables(t, st); after != before {
			t.Errorf("the other site's data is not what is left: %d bytes, want %d", len(after), len(before))
		}
		if err := st.DeleteSite(ctx, kept.ID, nil); err != nil {
			t.Fatal(err)
		}
		if left := tables(t, st); left != "" {
			t.Errorf("the last site leaves\n%s", left)
		}
	})
}

// A batch that is being written while its site is deleted is erased with it, or
// is refused: nothing of it stays.
func TestDeleteSiteWhileItIsWritten(t *testing.T) {
	onEach(t, func(t *testing.T, st *store.Store) {
		for round := range uint64(4) {
			site := mustCreateSite(t, st, "shop.example")
			messages := randomMessages(newRand(round), 400)
			for i := range messages {
				if messages[i].UserID = "u"; i%10 == 0 {
					messages[i].Hit.Kind = 0
				}
			}
			if _, err := st.Write(t.Context(), site.ID, messages[:100]); err != nil {
				t.Fatal(err)
			}
			begun := make(chan struct{}, 1)
			var running sync.WaitGroup
			for n := range 3 {
				running.Go(func() {
					for batch := range slices.Chunk(messages[100+100*n:200+100*n], 10) {
						_, err := st.Write(context.Background(), site.ID, batch)
						select {
						case begun <- struct{}{}:
						default:
						}
						if err != nil {
							if model.CodeOf(err) != model.NotFound {
								t.Error(err)
							}
							break
						}
					}
				})
			}
			<-begun
			if err := st.DeleteSite(t.Context(), site.ID, nil); err != nil {
				t.Error(err)
			}
			running.Wait()
			if left := tables(t, st); left != "" {
				t.Fatalf("the deleted site leaves\n%.2000s", left)
			}
		}
	})
}

// A site is found by an internationalised domain however it is written, also where it was stored in Punycode.
func TestSiteOfInternationalisedDomain(t *testing.T) {
	onEach(t, func(t *testing.T, st *store.Store) {
		site := mustCreateSite(t, st, "xn--caf-dma.example")
		find := func() {
			t.Helper()
			for _, domain := range []string{"café.example", "CAFÉ.example.", "xn--caf-dma.example"} {
				got, err := st.SiteByDomain(t.Context(), domain)
				if err != nil || got.ID != site.ID || !slices.Equal(got.Domains, []string{"café.example"}) {
					t.Errorf("%s: %+v, %v", domain, got, err)
				}
			}
		}
		find()
		if _, err := st.DB().ExecContext(t.Context(), "UPDATE site_domains SET domain = 'xn--caf-dma.example'"); err != nil {
			t.Fatal(err)
		}
		find()
	})
}
