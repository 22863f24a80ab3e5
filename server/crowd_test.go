//go:build system

// This file makes the messages for order_test.go, which runs the server, so it has the tag system: see main_test.go.
package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/goalgraph/goalgraph/model"
	"github.com/goalgraph/goalgraph/model/modeltest"
	"github.com/goalgraph/goalgraph/server/ingest"
)

// crowdFrom is when the first messages of a crowd happen.
var crowdFrom = time.Date(2026, 1, 5, 0, 0, 0, 0, time.UTC)

// crowd is the messages of several populations, and what is to become of them.
type crowd struct {
	instants []instant // in the order of their times
	messages int       // how many different ones are kept
	sessions []model.Session
}

// instant is the messages of one population that happen at one time. What brings one of them brings all, in this order.
type instant struct {
	at       model.Millis
	messages []string // as JSON
}

// newCrowd returns a crowd with so many messages of each population.
func newCrowd(tb testing.TB, r *rand.Rand, populations, messages int) *crowd {
	tb.Helper()
	decoder, err := ingest.NewDecoder(nil)
	if err != nil {
		tb.Fatal(err)
	}
	c := &crowd{}
	var kept []model.Message
	known := map[model.MessageID]bool{}
	for population := range populations {
		list := modeltest.Population(r, model.MillisOf(crowdFrom), messages)
		slices.SortStableFunc(list, func(a, b model.Message) int { return cmp.Compare(a.Hit.At, b.Hit.At) })
		for i := range list {
			if i == 0 || list[i].Hit.At != list[i-1].Hit.At {
				c.instants = append(c.instants, instant{at: list[i].Hit.At})
			}
			now := &c.instants[len(c.instants)-1]
			text := sentMessage(tb, r, population, &list[i])
			now.messages = append(now.messages, text)
			message, isKept, err := decoder.Message([]byte(text), ingest.Envelope{Bots: model.ExcludeBots})
			if err != nil {
				tb.Fatalf("%s: %v", text, err)
			}
			if isKept && !known[message.Hit.ID] {
				known[message.Hit.ID] = true
				message.Hit.Place = int32(len(now.messages))
				kept = append(kept, message)
			}
		}
	}
	slices.SortStableFunc(c.instants, func(a, b instant) int { return cmp.Compare(a.at, b.at) })
	c.messages, c.sessions = len(kept), modeltest.Sessions(kept)
	return c
}

// agents are the user agents of browsers, and of a bot whose messages are not kept.
var agents = map[string]string{
	"Chrome":  "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36",
	"Firefox": "Mozilla/5.0 (X11; Linux x86_64; rv:127.0) Gecko/20100101 Firefox/127.0",
	"a bot":   "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
}

// sentMessage writes a message of a population as its sender does.
func sentMessage(tb testing.TB, r *rand.Rand, population int, m *model.Message) string {
	tb.Helper()
	type object = map[string]any
	hit := &m.Hit
	who := func(name string) string { return fmt.Sprintf("%s of %d", name, population) }
	properties, context := object{}, object{}
	message := object{"timestamp": hit.At.Time().Format("2006-01-02T15:04:05.000Z07:00"), "properties": properties, "context": context}
	if r.IntN(8) > 0 { // others are known by what they say
		message["messageId"] = fmt.Sprintf("%x", hit.ID)
	}
	if m.UserID != "" {
		message["userId"] = who(m.UserID)
	}
	if m.AnonymousID != "" {
		message["anonymousId"] = who(m.AnonymousID)
	}
	switch hit.Kind {
	case model.PageView:
		message["type"] = "page"
		properties["path"] = hit.Name
		if hit.Origin.Hostname != "" {
			properties["url"] = "https://" + hit.Origin.Hostname + hit.Name
		}
	case model.Event:
		message["type"], message["event"] = "track", hit.Name
		if hit.HasValue {
			properties["value"] = hit.Value
		}
		if hit.Experiment != "" {
			properties["experiment_id"], properties["variation_id"] = hit.Experiment, hit.Variant
		}
	case model.Traits:
		message["type"], message["traits"] = "identify", hit.Properties
	default:
		message["type"], message["previousId"] = "alias", message["anonymousId"]
		delete(message, "anonymousId")
	}
	if hit.SessionKey != "" {
		context["sessionId"] = hit.SessionKey
	}
	if len(hit.Tags) > 0 {
		context["tags"] = hit.Tags
	}
	if hit.Knows&model.KnowsAcquisition != 0 {
		page := object{}
		if hit.Origin.Referrer != "" {
			page["referrer"] = "https://" + hit.Origin.Referrer + "/search?q=shop"
		}
		context["page"], context["campaign"] = page, object{"source": hit.Origin.UTM.Source}
	}
	if hit.Knows&model.KnowsAgent != 0 {
		browser := hit.Origin.Browser
		if r.IntN(20) == 0 {
			browser = "a bot"
		}
		context["userAgent"] = agents[browser]
	}
	if hit.Knows&model.KnowsLanguage != 0 {
		context["locale"] = hit.Origin.Language
	}
	if hit.Knows&model.KnowsAddress != 0 {
		context["ip"], context["location"] = hit.Origin.IP, object{"country": hit.Origin.Country}
	} else { // or else the connection's address is the visitor's
		context["library"] = object{"name": "@segment/analytics-node"}
	}
	text, err := json.Marshal(message)
	if err != nil {
		tb.Fatal(err)
	}
	return string(text)
}

// repeated returns instants of which some come twice, or have a message twice.
func repeated(r *rand.Rand, instants []instant) (all []instant) {
	for _, m := range instants {
		if r.IntN(8) == 0 {
			if len(m.messages) == 1 {
				all = append(all, m)
			} else {
				m.messages = append(slices.Clip(m.messages), m.messages[r.IntN(len(m.messages))])
			}
		}
		all = append(all, m)
	}
	return all
}
