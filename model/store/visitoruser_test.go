package store_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/goalgraph/goalgraph/model"
	"github.com/goalgraph/goalgraph/model/modeltest"
	"github.com/goalgraph/goalgraph/model/store"
	"github.com/goalgraph/goalgraph/model/store/storetest"
)

// firstUsers says of each device whose it is, from all messages: the user's whose link is the earliest.
func firstUsers(messages []model.Message) map[string]string {
	first := map[string]model.Message{}
	for _, m := range messages {
		if m.AnonymousID == "" || m.UserID == "" {
			continue
		}
		known, found := first[m.AnonymousID]
		if !found || cmp.Or(cmp.Compare(m.Hit.At, known.Hit.At), cmp.Compare(m.Hit.Place, known.Hit.Place), strings.Compare(m.UserID, known.UserID)) < 0 {
			first[m.AnonymousID] = m
		}
	}
	users := map[string]string{}
	for device, m := range first {
		users[device] = m.UserID
	}
	return users
}

// However messages are delivered, a device is the first user's, and who follows what is written knows it as who reads all.
func TestVisitorUsers(t *testing.T) {
	onEach(t, func(t *testing.T, st *store.Store) {
		several := 0
		for seed := range uint64(8) {
			r := rand.New(rand.NewPCG(seed, 21))
			messages := modeltest.Population(r, aDay, 100)
			for i := range messages { // some links of one moment, some without a hit
				if r.IntN(4) == 0 {
					messages[i].Hit.At -= messages[i].Hit.At % (2 * 60 * 60 * 1000)
				}
				if r.IntN(10) == 0 && messages[i].AnonymousID != "" && messages[i].UserID != "" {
					messages[i].Hit = model.Hit{ID: messages[i].Hit.ID, At: messages[i].Hit.At, Place: messages[i].Hit.Place}
				}
			}
			site := mustCreateSite(t, st, fmt.Sprintf("u%d.example", seed))
			followed, at := map[int64]string{}, store.Revision{}
			follow := func() {
				t.Helper()
				users, newest, err := st.VisitorUsers(t.Context(), site.ID, at)
				if err != nil || (newest == at) != (len(users) == 0) {
					t.Fatalf("%v after %v: %d changes, %v", newest, at, len(users), err)
				}
				for _, u := range users {
					followed[u.Visitor] = u.User
				}
				at = newest
			}
			sent := slices.Clone(messages)
			r.Shuffle(len(sent), func(i, j int) { sent[i], sent[j] = sent[j], sent[i] })
			for batch := range slices.Chunk(sent, 1+r.IntN(40)) {
				if _, err := st.Write(t.Context(), site.ID, batch); err != nil {
					t.Fatal(err)
				}
				follow()
			}
			keys, err := st.VisitorKeys(t.Context(), site.ID)
			if err != nil {
				t.Fatal(err)
			}
			got := map[string]string{}
			for visitor, user := range followed {
				got[keys[visitor]] = user
			}
			want := firstUsers(messages)
			if !reflect.DeepEqual(got, want) {
				t.Errorf("seed %d: the devices are %v, want %v", seed, got, want)
			}
			all, newest, err := st.VisitorUsers(t.Context(), site.ID, store.Revision{})
			if err != nil || newest != at || len(all) != len(followed) {
				t.Errorf("seed %d: %d of %d, at %v of %v, %v", seed, len(all), len(followed), newest, at, err)
			}
			byUser := map[string]int{}
			for _, user := range want {
				if byUser[user]++; byUser[user] == 2 {
					several++
				}
			}
			// A history that the database does not have.
			for _, lost := range []store.Revision{{Number: at.Number + 1, Write: at.Write}, {Number: 1, Write: 42}} {
				if _, _, err := st.VisitorUsers(t.Context(), site.ID, lost); !errors.Is(err, store.ErrLost) {
					t.Errorf("after a lost write: %v", err)
				}
			}
			before, err := st.State(t.Context(), site.ID)
			if err != nil {
				t.Fatal(err)
			}
			alias := model.Message{AnonymousID: "a device of nobody yet", UserID: "somebody", Hit: model.Hit{ID: model.MessageIDOf("alias"), At: 1}}
			if _, err := st.Write(context.Background(), site.ID, []model.Message{alias}); err != nil {
				t.Fatal(err)
			}
			if after, err := st.State(t.Context(), site.ID); err != nil || after == before {
				t.Errorf("a link alone leaves the state %v, %v", after, err)
			}
			follow()
			if err := st.DeleteSite(t.Context(), site.ID, nil); err != nil {
				t.Fatal(err)
			}
			if all, newest, err := st.VisitorUsers(t.Context(), site.ID, store.Revision{}); err != nil || len(all) > 0 || !newest.IsZero() {
				t.Errorf("of a deleted site: %v at %v, %v", all, newest, err)
			}
		}
		if several < 8 {
			t.Errorf("%d users have several devices: it says little", several)
		}
	})
}

// A visitor who was forgotten with the last session and comes back is the user's whom the device was linked to lately.
func TestVisitorUsersComeBack(t *testing.T) {
	storetest.Databases(t, func(t *testing.T, url string) {
		now := model.Millis(20_000 * aDay)
		st, err := store.Open(t.Context(), url, store.Options{Now: func() time.Time { return now.Time() }})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { st.Close() })
		if _, err := st.Migrate(t.Context()); err != nil {
			t.Fatal(err)
		}
		site, days := mustCreateSite(t, st, "shop.example").ID, 1
		if _, err := st.UpdateSite(t.Context(), site, func(s *model.Site) error { s.RetentionDays = &days; return nil }); err != nil {
			t.Fatal(err)
		}
		visit := func(id string, user string) {
			t.Helper()
			m := model.Message{AnonymousID: "device", UserID: user, Hit: model.Hit{ID: model.MessageIDOf(id), At: now, Kind: model.PageView, Name: "/"}}
			if _, err := st.Write(t.Context(), site, []model.Message{m}); err != nil {
				t.Fatal(err)
			}
		}
		users := func() (found []store.VisitorUser) {
			t.Helper()
			found, _, err := st.VisitorUsers(t.Context(), site, store.Revision{})
			if err != nil {
				t.Fatal(err)
			}
			return found
		}
		visit("first", "ann")
		before := users()
		now += aDay + aDay/2
		if n, err := st.EraseExpired(t.Context(), site); n != 1 || err != nil || len(users()) != 0 {
			t.Fatalf("%d sessions are erased, %v: %+v", n, err, users())
		}
		visit("again", "")
		if after := users(); len(before) != 1 || len(after) != 1 || after[0].User != "ann" || after[0].Visitor == before[0].Visitor {
			t.Errorf("%+v, before %+v", after, before)
		}
	})
}
