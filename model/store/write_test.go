package store_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/goalgraph/goalgraph/model"
	"github.com/goalgraph/goalgraph/model/engine"
	"github.com/goalgraph/goalgraph/model/modeltest"
	"github.com/goalgraph/goalgraph/model/store"
)

const aDay = 24 * 60 * 60 * 1000

// randomMessages returns messages of a few visitors over some days, in clusters
// that make gaps near the limit, late hits and sessions across midnight likely.
func randomMessages(r *rand.Rand, n int) []model.Message {
	pick := func(values ...string) string { return values[r.IntN(len(values))] }
	messages := make([]model.Message, n)
	for i := range messages {
		at := model.Millis(20_000*aDay) + model.Millis(r.IntN(6*48))*(model.SessionGap/2) + model.Millis(r.IntN(3)-1)
		hit := model.Hit{
			ID: model.MessageIDOf(fmt.Sprint(r.Uint64())), At: at, Kind: model.PageView, Name: pick("/", "/a", "/b"),
			Origin: model.Origin{Country: pick("", "RO", "US"), Referrer: pick("", "t.co"), EntryPage: pick("/", "/a")},
			Knows:  model.Knowledge(r.IntN(32)),
		}
		hit.Origin = hit.Origin.Parts(hit.Knows)
		switch r.IntN(5) {
		case 0:
			hit.Kind, hit.Name = model.Event, pick("signup", "purchase")
			hit.Value, hit.HasValue = model.Decimal(r.IntN(1000))*model.One/100, r.IntN(2) == 0
			if r.IntN(2) == 0 {
				hit.Experiment, hit.Variant = pick("x", "y"), pick("a", "b")
			}
		case 1:
			hit.Kind, hit.Name = model.Traits, ""
			fallthrough
		case 2:
			hit.Tags = []string{pick("x", "y"), pick("x", "z")}
			hit.Properties = map[string]string{"plan": pick("free", "pro")}
		}
		if r.IntN(5) == 0 {
			hit.SessionKey = pick("s1", "s2")
		}
		messages[i] = model.Message{AnonymousID: pick("ann", "bob", "cem"), Hit: hit}
	}
	return messages
}

// Whatever the order and the batches in which messages arrive, and however often
// they do, the sessions are those of the set.
func TestWriteFoldsTheSet(t *testing.T) {
	onEach(t, func(t *testing.T, st *store.Store) {
		for seed := range uint64(25) {
			r := rand.New(rand.NewPCG(seed, 1))
			site := mustCreateSite(t, st, fmt.Sprintf("s%d.example", seed))
			messages := randomMessages(r, 1+r.IntN(120))
			want := modeltest.Sessions(messages)

			sent := append(slices.Clone(messages), messages[:r.IntN(len(messages))]...)
			r.Shuffle(len(sent), func(i, j int) { sent[i], sent[j] = sent[j], sent[i] })
			duplicates := 0
			for rest := sent; len(rest) > 0; {
				n := min(len(rest), 1+r.IntN(60))
				written, err := st.Write(t.Context(), site.ID, rest[:n])
				if err != nil {
					t.Fatal(err)
				}
				duplicates += written.Duplicates
				rest = rest[n:]
			}
			if duplicates != len(sent)-len(messages) {
				t.Errorf("seed %d: %d duplicates, want %d", seed, duplicates, len(sent)-len(messages))
			}
			modeltest.EqualSessions(t, modeltest.Stored(t, st, site.ID), want)
		}
	})
}

// Writers of one site wait for each other, and lose nothing.
func TestWriteConcurrently(t *testing.T) {
	onEach(t, func(t *testing.T, st *store.Store) {
		site := mustCreateSite(t, st, "shop.example")
		messages := randomMessages(rand.New(rand.NewPCG(7, 7)), 600)
		var writers sync.WaitGroup
		for n := range 8 {
			writers.Go(func() {
				mine := slices.Clone(messages)
				r := rand.New(rand.NewPCG(uint64(n), 3))
				r.Shuffle(len(mine), func(i, j int) { mine[i], mine[j] = mine[j], mine[i] })
				for batch := range slices.Chunk(mine[:300], 25) {
					if _, err := st.Write(context.Background(), site.ID, batch); err != nil {
						t.Error(err)
						return
					}
				}
			})
		}
		writers.Wait()
		if _, err := st.Write(t.Context(), site.ID, messages); err != nil {
			t.Fatal(err)
		}
		modeltest.EqualSessions(t, modeltest.Stored(t, st, site.ID), modeltest.Sessions(messages))
	})
}

// Each session row carries the revision of the write that changed it last, and
// the partition that of its newest write.
func TestWriteRevisions(t *testing.T) {
	onEach(t, func(t *testing.T, st *store.Store) {
		site := mustCreateSite(t, st, "shop.example")
		page := func(id string, at model.Millis) []model.Message {
			return []model.Message{{AnonymousID: id, Hit: model.Hit{ID: model.MessageIDOf(id, fmt.Sprint(at)), At: at, Kind: model.PageView, Name: "/"}}}
		}
		for i, batch := range [][]model.Message{page("ann", aDay), page("bob", aDay), page("bob", aDay+1000), page("bob", aDay+1000)} {
			written, err := st.Write(t.Context(), site.ID, batch)
			if err != nil {
				t.Fatal(err)
			}
			partitions, err := st.Partitions(t.Context(), site.ID, model.Range{From: 0, To: model.Open})
			if err != nil {
				t.Fatal(err)
			}
			want := int64(min(i+1, 3)) // a duplicate changes nothing
			if len(partitions) != 1 || partitions[0].Revision.Number != want || partitions[0].Sessions != int32(min(i+1, 2)) {
				t.Errorf("after write %d: partitions %+v, want revision %d", i, partitions, want)
			}
			if wantDuplicates := i / 3; written.Duplicates != wantDuplicates {
				t.Errorf("write %d: %d duplicates, want %d", i, written.Duplicates, wantDuplicates)
			}
		}
	})
}

func TestWriteToDeletedSite(t *testing.T) {
	onEach(t, func(t *testing.T, st *store.Store) {
		_, err := st.Write(t.Context(), 12345, randomMessages(rand.New(rand.NewPCG(1, 1)), 3))
		if model.CodeOf(err) != model.NotFound {
			t.Errorf("error %v, want NOT_FOUND", err)
		}
	})
}

func TestEvents(t *testing.T) {
	onEach(t, func(t *testing.T, st *store.Store) {
		site := mustCreateSite(t, st, "shop.example")
		for i, value := range []model.Decimal{0, 5 * model.One, 7 * model.One} {
			hit := model.Hit{ID: model.MessageIDOf(fmt.Sprint(i)), At: model.Millis(1000 * (10 - i)), Kind: model.Event, Name: "Order Ünïque 100%", Value: value, HasValue: i > 0}
			if _, err := st.Write(t.Context(), site.ID, []model.Message{{AnonymousID: "ann", Hit: hit}}); err != nil {
				t.Fatal(err)
			}
		}
		for search, want := range map[string]int{"": 1, "ünÏQUE": 1, "100%": 1, "1%0": 0, "_": 0} {
			events, err := st.Events(t.Context(), store.EventQuery{Site: site.ID, Search: search}, store.EventPage{Limit: 10})
			if err != nil {
				t.Fatal(err)
			}
			if len(events) != want {
				t.Errorf("search %q: %d events, want %d", search, len(events), want)
				continue
			}
			if want > 0 && (events[0].Count != 3 || events[0].FirstAt != 8000 || events[0].LastAt != 10000 || !events[0].HasValue) {
				t.Errorf("event %+v", events[0])
			}
		}
	})
}

// Texts come back as they went in, by INSERT, by COPY, and when sessions are
// folded again from the hits that are stored.
func TestWriteKeepsTexts(t *testing.T) {
	odd := []string{`'`, `"`, `\`, `\N`, `\.`, "\t", "\n", "a,b", "?", "$1", "{}", "null", "%s", "é", "日本", "😀", "\u2028", "\x7f", " ", "'; DROP TABLE hits; --", strings.Repeat("x", model.MaxTextBytes)}
	messages := func(n int) (list []model.Message) {
		for i := range n {
			text := func(field int) string { return odd[(i+field)%len(odd)] }
			for hour, kind := range []model.HitKind{model.PageView, model.Event, model.Traits, model.PageView} {
				hit := model.Hit{
					ID: model.MessageIDOf(fmt.Sprint(i, hour)), At: model.Millis(aDay + hour*20*60*1000), Kind: kind, SessionKey: []string{"", text(0)}[i%2],
					Value: []model.Decimal{-model.One / 2, 8_999_999_999_999_999_999, 1, model.One / 10}[i%4], HasValue: i%3 > 0,
					Tags: []string{text(1), text(2)}, Properties: map[string]string{text(3): text(4)},
					Origin: model.Origin{
						IP: text(5), Country: text(6), Referrer: text(7), EntryPage: text(8), Browser: text(9), OS: text(10), Device: model.Device(text(11)), Language: text(12),
						UTM: model.UTM{Source: text(13), Medium: text(14), Campaign: text(15), Term: text(16), Content: text(17)},
					},
					Knows: model.KnowsAll,
				}
				if hit.Name = text(18); kind == model.Traits {
					hit.Name = ""
				}
				list = append(list, model.Message{AnonymousID: fmt.Sprint(text(19), i), UserID: text(20), Hit: hit})
			}
		}
		return list
	}
	onEach(t, func(t *testing.T, st *store.Store) {
		all := messages(3 * len(odd))
		batch, single, backwards := mustCreateSite(t, st, "batch.example"), mustCreateSite(t, st, "single.example"), mustCreateSite(t, st, "backwards.example")
		write := func(site *model.Site, messages []model.Message) {
			t.Helper()
			if _, err := st.Write(t.Context(), site.ID, messages); err != nil {
				t.Fatal(err)
			}
		}
		write(batch, all)
		for one := range slices.Chunk(all, 1) {
			write(single, one)
		}
		last := slices.Clone(all)
		slices.Reverse(last)
		for some := range slices.Chunk(last, 50) {
			write(backwards, some)
		}
		want := modeltest.Sessions(all)
		for _, site := range []*model.Site{batch, single, backwards} {
			modeltest.EqualSessions(t, modeltest.Stored(t, st, site.ID), want)
			events, err := st.Events(t.Context(), store.EventQuery{Site: site.ID}, store.EventPage{Limit: 1000})
			if err != nil || len(events) != len(odd) {
				t.Errorf("%d event names, want %d; %v", len(events), len(odd), err)
			}
		}
		subject, err := engine.New(st, engine.Options{})
		if err != nil {
			t.Fatal(err)
		}
		defer subject.Close()
		totals, err := subject.Totals(t.Context(), batch.ID)
		if err != nil || totals.Sessions != len(want) || totals.Visitors != 3*len(odd) {
			t.Errorf("totals %+v, %v", totals, err)
		}
		partitions, err := st.Partitions(t.Context(), batch.ID, model.Range{From: 0, To: model.Open})
		if err != nil {
			t.Fatal(err)
		}
		session, err := st.Session(t.Context(), model.SessionID{Site: partitions[0].SiteID, Partition: partitions[0].ID, Ordinal: 0})
		if err != nil || session.VisitorKey == "" || session.ID.Partition != partitions[0].ID {
			t.Errorf("session %+v, %v", session, err)
		}
		_, err = st.Session(t.Context(), model.SessionID{Site: partitions[0].SiteID, Partition: partitions[0].ID, Ordinal: partitions[0].Sessions})
		mustBe(t, err, model.NotFound, "")
	})
}
