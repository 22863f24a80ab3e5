package store_test

import (
	"context"
	"math/rand/v2"
	"testing"

	"github.com/goalgraph/goalgraph/model"
	"github.com/goalgraph/goalgraph/model/store"
	"github.com/goalgraph/goalgraph/model/store/storetest"
)

// onEach runs a test on a new, migrated database of each kind, and on a cluster if there is one.
func onEach(t *testing.T, test func(t *testing.T, st *store.Store)) {
	onURL := func(t *testing.T, url string) { test(t, mustOpen(t, url)) }
	storetest.Databases(t, onURL)
	if storetest.HasCitus() {
		t.Run("citus", func(t *testing.T) { onURL(t, storetest.Citus(t)) })
	}
}

func mustOpen(tb testing.TB, url string) *store.Store {
	tb.Helper()
	st, err := store.Open(context.Background(), url, store.Options{})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := st.Close(); err != nil {
			tb.Error(err)
		}
	})
	if _, err := st.Migrate(context.Background()); err != nil {
		tb.Fatal(err)
	}
	return st.WithHook(siteGuard{tb})
}

func mustCreateSite(tb testing.TB, st *store.Store, domain string) *model.Site {
	tb.Helper()
	site := &model.Site{Name: domain, Domains: []string{domain}, Timezone: "UTC"}
	if err := st.CreateSite(context.Background(), site); err != nil {
		tb.Fatal(err)
	}
	return site
}

func newRand(seed uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, 1)) }
