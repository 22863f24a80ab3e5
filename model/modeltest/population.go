package modeltest

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"

	"github.com/goalgraph/goalgraph/model"
)

// ExperimentViewed is the name of the events that assign.
const ExperimentViewed = "Experiment Viewed"

// Population returns n messages of a few people, from an instant on, in the order in which those of one instant happened:
// devices, users who log in on several of them, servers that know users alone, some by clocks of whole seconds, tabs with
// session keys of their own, aliases, and assignments to the experiments x and y. Pauses are mostly near the bounds of sessions.
func Population(r *rand.Rand, from model.Millis, n int) []model.Message {
	pick := func(values ...string) string { return values[r.IntN(len(values))] }
	gaps := []model.Millis{0, 1000, 60_000, model.SessionGap - 1, model.SessionGap, model.SessionGap + 1, 5 * 60 * 60 * 1000, model.MaxSessionLength}
	passed := map[string]model.Millis{}
	messages := make([]model.Message, n)
	for i := range messages {
		m := &messages[i]
		switch r.IntN(8) {
		case 0, 1: // a server, or a job
			m.UserID = pick("u1", "u2", "u3")
		case 2, 3: // somebody who is logged in
			m.UserID, m.AnonymousID = pick("u1", "u2", "u3"), pick("d1", "d2", "d3", "d4")
		default:
			m.AnonymousID = pick("d1", "d2", "d3", "d4", "u1")
		}
		who := cmp.Or(m.AnonymousID, m.UserID)
		passed[who] += gaps[r.IntN(1+r.IntN(len(gaps)))]
		m.Hit = model.Hit{ID: model.MessageIDOf(fmt.Sprint(r.Uint64())), At: from + passed[who], Place: int32(i), Kind: model.HitKind(1 + r.IntN(3))}
		hit := &m.Hit
		if m.AnonymousID == "" && r.IntN(2) == 0 {
			hit.At -= hit.At % 1000
		}
		if m.UserID != "" && m.AnonymousID != "" && r.IntN(5) == 0 {
			hit.Kind = 0 // an alias
		}
		hit.Knows = model.Knowledge(r.IntN(32)) &^ model.KnowsPage
		switch hit.Kind {
		case model.PageView:
			hit.Name = pick("/", "/a", "/b")
			hit.Knows |= model.KnowsPage | model.KnowsAcquisition
		case model.Event:
			hit.Name = pick("buy", "look", ExperimentViewed)
			if hit.Name == ExperimentViewed {
				hit.Experiment, hit.Variant = pick("x", "y"), pick("a", "b", "unknown")
			} else if r.IntN(2) == 0 {
				hit.Value, hit.HasValue = model.Decimal(r.IntN(5000))*model.One/100, true
			}
		case model.Traits:
			hit.Properties = map[string]string{pick("plan", "team"): pick("a", "b")}
		}
		if r.IntN(4) == 0 {
			hit.Tags = []string{pick("s", "t")}
		}
		whole := model.Origin{
			IP: pick("192.0.2.1", "192.0.2.2"), Country: pick("RO", "US"), Referrer: pick("", "www.google.com"), EntryPage: hit.Name,
			Hostname: pick("", "shop.example"), Browser: pick("Chrome", "Firefox"), Language: pick("de", "en"), UTM: model.UTM{Source: pick("", "mail")},
		}
		hit.Origin = whole.Parts(hit.Knows)
		if r.IntN(3) == 0 {
			hit.SessionKey = pick("k1", "k2", "k3")
		}
	}
	return messages
}

// Sessions returns the sessions of messages, in the order of Sort. A message id is there once.
func Sessions(messages []model.Message) (sessions []model.Session) {
	links := linksOf(messages)
	byVisitor := map[string][]model.Hit{}
	for _, m := range messages {
		if m.Hit.Kind != 0 {
			m.Hit.Visitor = whose(links[m.UserID], &m)
			byVisitor[m.Hit.Visitor] = append(byVisitor[m.Hit.Visitor], m.Hit)
		}
	}
	for _, hits := range byVisitor {
		isFirst := true
		for _, visit := range model.Fold(hits) {
			if visit.Session.Counts() {
				visit.Session.First, isFirst = isFirst, false
				sessions = append(sessions, visit.Session)
			}
		}
	}
	Sort(sessions)
	return sessions
}

// Without returns the messages that are left when somebody is erased: a device, or a user with all devices that the user was
// linked with.
func Without(messages []model.Message, name string) (left []model.Message) {
	links := linksOf(messages)
	erased := map[string]bool{name: true}
	for _, link := range links[name] {
		erased[link.AnonymousID] = true
	}
	for _, m := range messages {
		if !erased[whose(links[m.UserID], &m)] {
			left = append(left, m)
		}
	}
	return left
}

// Sort orders sessions by visitor, start and key, which tell sessions apart.
func Sort(sessions []model.Session) {
	slices.SortFunc(sessions, func(a, b model.Session) int {
		return cmp.Or(cmp.Compare(a.VisitorKey, b.VisitorKey), cmp.Compare(a.Start, b.Start), cmp.Compare(a.Key, b.Key))
	})
}

// linksOf returns the messages that link, by user, in the order of their times.
func linksOf(messages []model.Message) map[string][]model.Message {
	links := map[string][]model.Message{}
	for _, m := range messages {
		if m.UserID != "" && m.AnonymousID != "" {
			links[m.UserID] = append(links[m.UserID], m)
		}
	}
	for _, list := range links {
		slices.SortFunc(list, func(a, b model.Message) int {
			return cmp.Or(cmp.Compare(a.Hit.At, b.Hit.At), cmp.Compare(a.Hit.Place, b.Hit.Place), cmp.Compare(a.AnonymousID, b.AnonymousID))
		})
	}
	return links
}

// whose returns the visitor of a message, by the links of its user.
func whose(links []model.Message, m *model.Message) string {
	if m.AnonymousID != "" {
		return m.AnonymousID
	}
	device := m.UserID
	for i, link := range links {
		if i == 0 || link.Hit.At <= m.Hit.At {
			device = link.AnonymousID
		}
	}
	return device
}
