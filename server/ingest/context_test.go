package ingest_test

import (
	"maps"
	"strings"
	"testing"

	"github.com/goalgraph/goalgraph/model"
	"github.com/goalgraph/goalgraph/server/ingest"
)

func TestEvaluation(t *testing.T) {
	decoder, err := ingest.NewDecoder(nil)
	if err != nil {
		t.Fatal(err)
	}
	const firefox = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
	browser := ingest.Surroundings{IP: "192.0.2.1", UserAgent: firefox, AcceptLanguage: "de-AT, en;q=0.5", Referer: "https://shop.example/"}
	for name, test := range map[string]struct {
		context string
		around  ingest.Surroundings
		origin  model.Origin
		knows   model.Knowledge
		path    string
		traits  map[string]string
		host    string
		isBot   bool
	}{
		"a name alone": {context: `{"targetingKey": "ada"}`},
		"a browser": {
			context: `{"targetingKey": "ada"}`, around: browser, knows: model.KnowsAgent | model.KnowsLanguage | model.KnowsAddress | model.KnowsPage, host: "shop.example",
			origin: model.Origin{IP: "192.0.2.1", Browser: "Firefox", OS: "Linux", Device: model.Desktop, Language: "de-at", Hostname: "shop.example"},
		},
		"flat": {
			context: `{"targetingKey": "ada", "url": "https://Shop.example/p%C3%A4ge?utm_source=x", "referrer": "https://news.example/a", "utm_campaign": "spring",
				"country": "ro", "region": "Cluj", "city": "Cluj-Napoca", "browser": "Chrome", "os": "Android", "device": "mobile", "language": "ro_RO", "plan": "pro", "seats": 5, "beta": true, "list": [1], "none": null}`,
			around: browser, knows: model.KnowsAll, path: "/päge", host: "shop.example",
			origin: model.Origin{
				IP: "192.0.2.1", Country: "RO", Region: "Cluj", City: "Cluj-Napoca", Browser: "Chrome", OS: "Android", Device: model.Mobile, Language: "ro-ro",
				Referrer: "news.example", EntryPage: "/päge", Hostname: "shop.example", UTM: model.UTM{Source: "x", Campaign: "spring"},
			},
			traits: map[string]string{"plan": "pro", "seats": "5", "beta": "true"},
		},
		"as messages have it": {
			context: `{"targetingKey": "ada", "page": {"url": "https://shop.example/a", "referrer": "https://news.example"}, "campaign": {"source": "mail"}, "location": {"country": "DE"}, "locale": "en-US", "userAgent": "` + firefox + `", "ip": "198.51.100.7"}`,
			knows:   model.KnowsAll, path: "/a", host: "shop.example",
			origin: model.Origin{
				IP: "198.51.100.7", Country: "DE", Browser: "Firefox", OS: "Linux", Device: model.Desktop, Language: "en-us", Referrer: "news.example", EntryPage: "/a",
				Hostname: "shop.example", UTM: model.UTM{Source: "mail"},
			},
		},
		"what is none": {context: `{"targetingKey": 7, "country": "Romania", "device": "fridge", "ip": "somewhere", "hostname": ""}`},
		"a bot":        {context: `{"targetingKey": "ada", "userAgent": "Googlebot/2.1"}`, knows: model.KnowsAgent, isBot: true, origin: model.Origin{Browser: "Googlebot", Device: model.OtherDevice}},
	} {
		got, err := decoder.Evaluation([]byte(test.context), test.around)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if got.Hit.Origin != test.origin || got.Hit.Knows != test.knows {
			t.Errorf("%s tells %+v, %b", name, got.Hit.Origin, got.Hit.Knows)
		}
		if got.Hit.Name != test.path || got.Host != test.host || got.IsBot != test.isBot || !maps.Equal(got.Hit.Properties, test.traits) {
			t.Errorf("%s tells %+v", name, got)
		}
	}
	for context, says := range map[string]string{
		`{}`: "targetingKey: is missing", `{"targetingKey": ""}`: "targetingKey", `{"targetingKey": null}`: "targetingKey", `{"targetingKey": {}}`: "targetingKey",
		`[]`: "context: is not an object", `"ada"`: "is not an object", `{`: "context: is not JSON",
	} {
		if _, err := decoder.Evaluation([]byte(context), ingest.Surroundings{}); model.CodeOf(err) != model.BadInput || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v", context, err)
		}
	}
}
