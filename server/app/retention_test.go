package app

import (
	"log/slog"
	"testing"
	"time"

	"github.com/goalgraph/goalgraph/model"
	"github.com/goalgraph/goalgraph/model/modeltest"
	"github.com/goalgraph/goalgraph/model/store/storetest"
)

// What a site keeps no longer goes with the first look after the change.
func TestEraseDue(t *testing.T) {
	t.Parallel()
	st, err := OpenStore(t.Context(), Options{Database: storetest.SQLite(t), Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { st.Close() })
	a := &App{store: st, options: Options{Log: slog.New(slog.DiscardHandler)}}
	site := &model.Site{Name: "Shop", Timezone: "UTC"}
	if err := st.CreateSite(t.Context(), site); err != nil {
		t.Fatal(err)
	}
	var batch []model.Message
	for _, ago := range []int{1, 10, 100} {
		at := model.MillisOf(time.Now().AddDate(0, 0, -ago))
		batch = append(batch, model.Message{AnonymousID: "ann", Hit: model.Hit{ID: model.MessageIDOf(time.Duration(at).String()), At: at, Kind: model.PageView, Name: "/"}})
	}
	if _, err := st.Write(t.Context(), site.ID, batch); err != nil {
		t.Fatal(err)
	}
	eraseDue := a.eraseDue()
	days := func(n int) *int { return &n }
	for _, test := range []struct {
		keeps *int
		left  int
	}{{nil, 3}, {days(50), 2}, {days(50), 2}, {days(5), 1}, {nil, 1}} {
		if _, err := st.UpdateSite(t.Context(), site.ID, func(s *model.Site) error { s.RetentionDays = test.keeps; return nil }); err != nil {
			t.Fatal(err)
		}
		eraseDue(t.Context())
		if left := modeltest.Stored(t, st, site.ID); len(left) != test.left {
			t.Errorf("%d sessions are left, want %d", len(left), test.left)
		}
	}
}
