package main

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"

	"github.com/goalgraph/goalgraph/model"
)

// firstDay is the day of the oldest sessions.
const firstDay model.Day = 20454 // 2026-01-01

const dayMillis = 24 * 60 * 60 * 1000

// newShare is the share of sessions that are the first of their visitor.
const newShare = 0.6

// vocabulary holds the values of sessions, the most frequent first. It is the same for every seed.
type vocabulary struct {
	countries, referrers, pages, tags, events []string
	browsers, systems, languages, campaigns   []string
	// valued says which events have a value.
	valued []bool
}

func newVocabulary() *vocabulary {
	v := &vocabulary{
		countries: countryCodes(),
		browsers:  []string{"Chrome", "Safari", "Edge", "Firefox", "Samsung Internet", "Opera", "Brave", "Vivaldi", "DuckDuckGo", "UC Browser", "Yandex", "Silk"},
		systems:   []string{"Windows", "Android", "iOS", "macOS", "Linux", "ChromeOS", "Tizen", "FreeBSD"},
		languages: []string{"en-us", "en-gb", "de", "fr", "es", "ro", "pt-br", "it", "pl", "nl", "ja", "zh-cn", "sv", "tr", "cs", "hu", "ko", "da", "fi", "el"},
		events: []string{"signup", "purchase", "add_to_cart", "search", "login", "logout", "share", "comment", "download", "subscribe",
			"play_video", "checkout", "contact", "rate", "invite", "upgrade", "cancel", "refund", "donate", "apply_coupon"},
		referrers: make([]string, 5000),
		pages:     make([]string, 2000),
		tags:      make([]string, 200),
		campaigns: make([]string, 60),
	}
	for _, name := range v.events {
		v.valued = append(v.valued, slices.Contains([]string{"purchase", "subscribe", "donate"}, name))
	}
	kinds := []string{"blog", "news", "forum", "shop", "wiki"}
	for i := range v.referrers {
		v.referrers[i] = fmt.Sprintf("%s%d.site%d.example", kinds[i%len(kinds)], i, i%97)
	}
	copy(v.referrers, []string{"www.google.com", "t.co", "www.bing.com", "www.facebook.com", "news.ycombinator.com", "www.google.de", "duckduckgo.com", "www.reddit.com", "www.google.co.uk"})
	for i := range v.pages {
		v.pages[i] = fmt.Sprintf("/%s/%s-%d/%d", []string{"docs", "blog", "shop", "help"}[i%4], []string{"alpha", "beta", "gamma"}[i%3], i%41, i)
	}
	copy(v.pages, []string{"/", "/pricing", "/login", "/signup", "/features", "/about", "/contact", "/docs", "/blog", "/shop"})
	for i := range v.tags {
		v.tags[i] = fmt.Sprintf("tag-%d", i)
	}
	for i := range v.campaigns {
		v.campaigns[i] = fmt.Sprintf("campaign-%d", i)
	}
	return v
}

var (
	utmSources = []string{"google", "newsletter", "facebook", "partner", "linkedin", "x"}
	utmMediums = []string{"cpc", "email", "social", "affiliate"}
	devices    = []string{string(model.Desktop), string(model.Mobile), string(model.Tablet), string(model.OtherDevice)}
)

// picker picks a number below n by its weight, in constant time: the alias method (A. J. Walker, 1977).
type picker struct {
	keep  []float64
	alias []int
}

// zipf returns a picker of n numbers in which number i has the weight 1 / (i + 1)^s.
func zipf(n int, s float64) *picker {
	weights := make([]float64, n)
	for i := range weights {
		weights[i] = math.Pow(float64(i+1), -s)
	}
	return weighted(weights)
}

func weighted(weights []float64) *picker {
	n, sum := len(weights), 0.0
	for _, w := range weights {
		sum += w
	}
	p := &picker{keep: make([]float64, n), alias: make([]int, n)}
	var small, large []int
	for i, w := range weights {
		p.keep[i], p.alias[i] = w*float64(n)/sum, i
		if p.keep[i] < 1 {
			small = append(small, i)
		} else {
			large = append(large, i)
		}
	}
	for len(small) > 0 && len(large) > 0 {
		less, more := small[len(small)-1], large[len(large)-1]
		small = small[:len(small)-1]
		p.alias[less] = more
		if p.keep[more] -= 1 - p.keep[less]; p.keep[more] < 1 {
			large = large[:len(large)-1]
			small = append(small, more)
		}
	}
	return p
}

func (p *picker) pick(r *rand.Rand) int {
	i := r.IntN(len(p.keep))
	if r.Float64() < p.keep[i] {
		return i
	}
	return p.alias[i]
}

// generator makes the sessions of a site. It makes each day on its own, so days can be made in any order.
type generator struct {
	*vocabulary
	seed                                            uint64
	perDay, newBefore, newOn                        []int // by day
	country, referrer, page, tag, event             *picker
	browser, system, device, language, campaign, ut *picker
	pagesOf, tagsOf, eventsOf                       *picker
}

func newGenerator(seed uint64, sessions, days int) *generator {
	g := &generator{
		vocabulary: newVocabulary(), seed: seed,
		perDay: make([]int, days), newBefore: make([]int, days), newOn: make([]int, days),
		pagesOf:  weighted([]float64{36, 20, 14, 9, 6, 4, 3, 2.5, 2, 1.5, 1, 1}), // number of distinct pages minus one; about 3 pages on average
		tagsOf:   weighted([]float64{45, 30, 17, 8}),
		eventsOf: weighted([]float64{70, 20, 7, 3}),
		device:   weighted([]float64{52, 41, 5, 2}),
		ut:       zipf(len(utmSources), 1),
	}
	for _, z := range []struct {
		to     **picker
		values []string
		s      float64
	}{
		{&g.country, g.countries, 1.1}, {&g.referrer, g.referrers, 1.05}, {&g.page, g.pages, 1}, {&g.tag, g.tags, 1}, {&g.event, g.events, 1},
		{&g.browser, g.browsers, 1.3}, {&g.system, g.systems, 1}, {&g.language, g.languages, 1.2}, {&g.campaign, g.campaigns, 1},
	} {
		*z.to = zipf(len(z.values), z.s)
	}
	weight := func(day int) float64 { return []float64{1, 1.05, 1.1, 1.05, 0.95, 0.7, 0.65}[day%7] }
	sum, done, cumulated := 0.0, 0, 0.0
	for day := range days {
		sum += weight(day)
	}
	for day := range days {
		cumulated += weight(day)
		end := int(math.Round(float64(sessions) * cumulated / sum))
		g.perDay[day] = end - done
		g.newBefore[day] = int(math.Ceil(float64(done) * newShare))
		g.newOn[day] = int(math.Ceil(float64(end)*newShare)) - g.newBefore[day]
		done = end
	}
	return g
}

// visitors returns how many visitors there are. Their numbers count from 1.
func (g *generator) visitors() int {
	newest := len(g.perDay) - 1
	return g.newBefore[newest] + g.newOn[newest]
}

// codedSession is a session whose values are numbers of the vocabulary. Fields that can be empty have 0 for empty, and the
// number plus one otherwise.
type codedSession struct {
	start, length       model.Millis
	visitor             int64
	first               bool
	pageViews           int
	country, referrer   int // referrer can be empty
	browser, system     int
	device, language    int
	source, medium      int // can be empty
	campaign            int // can be empty
	pages, tags, events []int
	counts              []int           // how often, by event
	values              []model.Decimal // sum of values, by event; 0 without values
}

// hits returns how many hits the session has.
func (s *codedSession) hits() int {
	n := s.pageViews
	for _, count := range s.counts {
		n += count
	}
	return n
}

// day returns the sessions of a day, in the order of their ordinals.
func (g *generator) day(day int) []codedSession {
	r := rand.New(rand.NewPCG(g.seed, uint64(day)+1))
	sessions := make([]codedSession, g.perDay[day])
	midnight := (firstDay + model.Day(day)).Start()
	starts := make([]int, len(sessions))
	for i := range starts {
		starts[i] = r.IntN(dayMillis)
	}
	slices.Sort(starts)
	visitors, left := int64(g.newBefore[day]), g.newOn[day]
	for i := range sessions {
		s := &sessions[i]
		g.draw(r, s)
		s.start = midnight + model.Millis(starts[i])
		// Sampling without replacement: exactly newOn of the day's sessions are of new visitors.
		if s.first = visitors == 0 || r.IntN(len(sessions)-i) < left; s.first {
			visitors++
			left--
			s.visitor = visitors
		} else {
			// Some visitors come back often: the density falls with the square root of the number.
			u := r.Float64()
			s.visitor = 1 + int64(u*u*float64(visitors))
		}
	}
	// Hits arrive a little out of order, and sessions get their ordinals on arrival.
	for i := range sessions {
		j := min(len(sessions)-1, i+r.IntN(4))
		sessions[i], sessions[j] = sessions[j], sessions[i]
	}
	return sessions
}

func (g *generator) draw(r *rand.Rand, s *codedSession) {
	s.country, s.browser, s.system = g.country.pick(r), g.browser.pick(r), g.system.pick(r)
	s.device, s.language = g.device.pick(r), g.language.pick(r)
	if r.Float64() >= 0.4 {
		s.referrer = 1 + g.referrer.pick(r)
	}
	if r.Float64() < 0.12 {
		s.source, s.medium = 1+g.ut.pick(r), 1+r.IntN(len(utmMediums))
		if r.Float64() < 0.6 {
			s.campaign = 1 + g.campaign.pick(r)
		}
	}
	s.pages = g.distinct(r, g.page, 1+g.pagesOf.pick(r))
	s.tags = g.distinct(r, g.tag, g.tagsOf.pick(r))
	s.events = g.distinct(r, g.event, g.eventsOf.pick(r))
	for _, event := range s.events {
		n, value := 1, model.Decimal(0)
		for r.Float64() < 0.2 {
			n++
		}
		if g.valued[event] {
			value = model.Decimal(100+r.IntN(20_000)) * model.One / 100
		}
		s.counts, s.values = append(s.counts, n), append(s.values, value)
	}
	s.pageViews = len(s.pages)
	for r.Float64() < 0.3 {
		s.pageViews++
	}
	if s.pageViews > 1 || len(s.events) > 0 {
		s.length = model.Millis(min(6*60*60*1000, 1000*math.Exp(4.1+1.3*r.NormFloat64())))
	}
}

// distinct picks up to n different numbers.
func (g *generator) distinct(r *rand.Rand, p *picker, n int) []int {
	if n == 0 {
		return nil
	}
	picked := make([]int, 0, n)
	for range n {
		if i := p.pick(r); !slices.Contains(picked, i) {
			picked = append(picked, i)
		}
	}
	return picked
}

func nameAt(list []string, less int) string {
	if less == 0 {
		return ""
	}
	return list[less-1]
}

func namesOf(list []string, numbers []int) []string {
	if len(numbers) == 0 {
		return nil
	}
	texts := make([]string, len(numbers))
	for i, n := range numbers {
		texts[i] = list[n]
	}
	return texts
}

// session returns a session as the product has it.
func (g *generator) session(s *codedSession, id model.SessionID) *model.Session {
	session := &model.Session{
		ID: id, Visitor: s.visitor, First: s.first, Start: s.start, End: s.start + s.length, Hits: s.hits(), Knows: model.KnowsAll, PageViews: s.pageViews,
		Origin: model.Origin{
			IP: address(s.visitor), Country: g.countries[s.country], Referrer: nameAt(g.referrers, s.referrer), EntryPage: g.pages[s.pages[0]],
			Browser: g.browsers[s.browser], OS: g.systems[s.system], Device: model.Device(devices[s.device]), Language: g.languages[s.language],
			UTM: model.UTM{Source: nameAt(utmSources, s.source), Medium: nameAt(utmMediums, s.medium), Campaign: nameAt(g.campaigns, s.campaign)},
		},
		ExitPage: g.pages[s.pages[len(s.pages)-1]],
		Pages:    namesOf(g.pages, s.pages), Tags: namesOf(g.tags, s.tags),
	}
	for i, event := range s.events {
		sum := model.EventSum{Name: g.events[event], Count: s.counts[i]}
		if s.values[i] != 0 {
			sum.Values, sum.Sum = 1, s.values[i].Sum()
		}
		session.Events = append(session.Events, sum)
	}
	return session
}

// address returns a random-looking address. The multiplier is odd, so no two visitors share one.
func address(visitor int64) string {
	n := uint32(visitor) * 2654435761
	return fmt.Sprintf("%d.%d.%d.%d", n>>24, n>>16&255, n>>8&255, n&255)
}

func visitorKey(visitor int64) string { return fmt.Sprintf("visitor-%09d", visitor) }

func countryCodes() []string {
	const codes = "US DE GB FR IN RO BR CA ES IT PL NL JP AU MX TR SE CN KR CH AT BE CZ HU PT DK FI NO IE GR AR CL CO PE VE EC UY PY BO CR " +
		"PA GT HN SV NI DO CU HT JM TT BB BS BZ GY SR ZA NG KE EG MA DZ TN LY SD ET GH CI SN CM UG TZ ZM ZW MZ AO NA BW MG MU RW BI TD NE ML BF " +
		"GN SL LR TG BJ GA CG CD CF GQ ER DJ SO SS LS SZ MW KM CV ST SC GM GW MR RU UA BY MD BG RS HR SI SK BA MK AL ME LT LV EE IS LU MT CY LI " +
		"MC SM VA AD GE AM AZ KZ UZ TM KG TJ AF PK BD LK NP BT MV MM TH VN LA KH MY SG ID PH BN TL MN TW KP IL JO LB SY IQ IR SA YE OM AE QA " +
		"BH KW PS NZ FJ PG SB VU WS TO KI TV NR PW MH FM AG DM GD KN LC VC"
	var list []string
	for i := 0; i+2 <= len(codes); i += 3 {
		list = append(list, codes[i:i+2])
	}
	return list
}
