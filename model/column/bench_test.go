package column

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/RoaringBitmap/roaring/v2/roaring64"

	"github.com/goalgraph/goalgraph/model"
	"github.com/goalgraph/goalgraph/model/filter"
)

// realistic returns sessions as a site's day has them.
func realistic(n int) []model.Session {
	r := rand.New(rand.NewPCG(1, 1))
	zipf := func(name string, s float64, most uint64) func() string {
		z := rand.NewZipf(r, s, 4, most-1)
		return func() string { return fmt.Sprintf("%s%d", name, z.Uint64()) }
	}
	country, referrer, page, tag := zipf("C", 1.3, 200), zipf("www.site-", 1.2, 5000), zipf("/section/page-", 1.1, 2000), zipf("tag-", 1.2, 200)
	sessions := make([]model.Session, n)
	for i := range sessions {
		start := model.Millis(20_000*24*60*60*1000 + int64(i)*(24*60*60*1000)/int64(n))
		s := model.Session{
			ID: model.SessionID{Ordinal: int32(i)}, Visitor: int64(r.IntN(10*n) + 1), First: r.IntN(2) == 0,
			Start: start, End: start + model.Millis(math.Exp(r.NormFloat64()*1.5+10)),
			Origin: model.Origin{IP: fmt.Sprintf("10.%d.%d.%d", r.IntN(4), r.IntN(256), r.IntN(256)), Country: country(), Browser: zipfBrowser(r), OS: "Windows", Device: model.Desktop, Language: "en-us"},
		}
		if r.IntN(5) > 1 {
			s.Referrer = referrer()
		}
		for range 1 + r.IntN(5) {
			s.PageViews++
			s.Pages = append(s.Pages, page())
		}
		s.EntryPage, s.ExitPage = s.Pages[0], s.Pages[len(s.Pages)-1]
		for range r.IntN(3) {
			s.Tags = append(s.Tags, tag())
		}
		if r.IntN(20) == 0 {
			s.Events = []model.EventSum{{Name: "purchase", Count: 1, Values: 1, Sum: (model.Decimal(r.IntN(10000)) * model.One / 100).Sum()}}
		}
		sessions[i] = s
	}
	return sessions
}

func zipfBrowser(r *rand.Rand) string {
	return []string{"Chrome", "Chrome", "Chrome", "Safari", "Firefox", "Edge"}[r.IntN(6)]
}

// BenchmarkPut makes columns of sessions, and reports how many a second.
func BenchmarkPut(b *testing.B) {
	sessions := realistic(100_000)
	b.ResetTimer()
	for b.Loop() {
		columns := New()
		for i := range sessions {
			columns.Put(&sessions[i])
		}
	}
	b.ReportMetric(float64(len(sessions)*b.N)/b.Elapsed().Seconds(), "sessions/s")
}

// BenchmarkEncode stores columns, and reports bytes a session.
func BenchmarkEncode(b *testing.B) {
	sessions := realistic(100_000)
	columns := New()
	for i := range sessions {
		columns.Put(&sessions[i])
	}
	bytes := 0
	for b.Loop() {
		stored, err := columns.Encode()
		if err != nil {
			b.Fatal(err)
		}
		bytes = 0
		for _, data := range stored {
			bytes += len(data)
		}
	}
	b.ReportMetric(float64(bytes)/float64(len(sessions)), "stored-B/session")
	b.ReportMetric(float64(columns.Bytes())/float64(len(sessions)), "memory-B/session")
	b.ReportMetric(float64(len(sessions)*b.N)/b.Elapsed().Seconds(), "sessions/s")
}

// BenchmarkLoad loads columns as they are stored, and reports how many sessions a second.
func BenchmarkLoad(b *testing.B) {
	sessions := realistic(100_000)
	columns := New()
	for i := range sessions {
		columns.Put(&sessions[i])
	}
	stored, err := columns.Encode()
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		loaded := Unloaded()
		for _, dimension := range Dimensions() {
			if err := loaded.Load(dimension, stored[dimension]); err != nil {
				b.Fatal(err)
			}
		}
	}
	b.ReportMetric(float64(len(sessions)*b.N)/b.Elapsed().Seconds(), "sessions/s")
}

// BenchmarkMatch evaluates a merged segment on the columns, and reports the ratio
// to evaluating it session by session.
func BenchmarkMatch(b *testing.B) {
	sessions := realistic(100_000)
	columns := New()
	for i := range sessions {
		columns.Put(&sessions[i])
	}
	where := filter.Simplify(filter.And{
		filter.Glob{Field: filter.Referrer, Pattern: "*site-1*"},
		filter.Glob{Field: filter.Pages, Pattern: "/section/page-1*"},
		filter.In{Field: filter.Country, Values: []string{"C1", "C2"}},
		filter.Range{Field: filter.Length, Min: 5000, Max: 60_000},
	})
	for b.Loop() {
		if _, err := columns.Match(Prepare(where), Memo{}); err != nil {
			b.Fatal(err)
		}
	}
	mine := b.Elapsed() / time.Duration(b.N)
	const rounds = 3
	begin := time.Now()
	for range rounds {
		for i := range sessions {
			where.Match(&sessions[i])
		}
	}
	b.ReportMetric(float64(time.Since(begin)/rounds)/float64(mine), "x-naive")
}

// BenchmarkGroups divides a day's sessions by their pages, and by country and device, and counts those of a set in each
// group; it measures the distinct visitors and the lengths of the largest hundred too.
func BenchmarkGroups(b *testing.B) {
	sessions := realistic(100_000)
	columns := New()
	for i := range sessions {
		columns.Put(&sessions[i])
	}
	all := columns.Counting()
	some, err := columns.Match(Prepare(filter.In{Field: filter.Country, Values: []string{"C0", "C1", "C2"}}), Memo{})
	if err != nil {
		b.Fatal(err)
	}
	count := func(groups *Groups) {
		counts := make([]int64, groups.Len())
		groups.Count(all, counts)
		groups.Count(some, counts)
	}
	b.Run("pages", func(b *testing.B) {
		for b.Loop() {
			count(columns.GroupsOf(filter.Pages))
		}
	})
	b.Run("places", func(b *testing.B) {
		for b.Loop() {
			groups, err := Cross(columns.GroupsOf(filter.Country), columns.GroupsOf(filter.Device), all, func(int) error { return nil })
			if err != nil {
				b.Fatal(err)
			}
			count(groups)
		}
	})
	places := map[Name]int{}
	groups := columns.GroupsOf(filter.Pages)
	for group := range min(groups.Len(), 100) {
		places[groups.Name(group)] = group
	}
	kept := groups.Keep(places)
	b.Run("visitors", func(b *testing.B) {
		for b.Loop() {
			if err := columns.VisitorsOfGroups(kept, all, func(int, *roaring64.Bitmap) error { return nil }); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("lengths", func(b *testing.B) {
		for b.Loop() {
			columns.LengthsOfGroups(kept, all, func(int, []uint32) {})
		}
	})
}
