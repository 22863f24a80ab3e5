package ingest

import (
	"bufio"
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/goalgraph/goalgraph/model"
	"github.com/goalgraph/goalgraph/model/dimension"
)

func equalMessages(t *testing.T, got, want model.Message) {
	t.Helper()
	if !reflect.DeepEqual(got, want) {
		t.Errorf("\ngot  %+v\nwant %+v", got, want)
	}
}

// checkSane fails unless the message may be stored.
func checkSane(t *testing.T, message model.Message) {
	t.Helper()
	hit := message.Hit
	texts := []string{
		message.AnonymousID, message.UserID, hit.SessionKey, hit.Name,
	}
	for _, d := range dimension.Origins() {
		texts = append(texts, *d.Origin(&hit.Origin))
	}
	texts = append(texts, hit.Tags...)
	for name, property := range hit.Properties {
		texts = append(texts, name, property)
	}
	for _, text := range texts {
		if !utf8.ValidString(text) || len(text) > model.MaxTextBytes || strings.ContainsRune(text, 0) {
			t.Errorf("text %q", clip(text))
		}
	}
	if len(hit.Tags) > model.MaxTags || len(hit.Properties) > model.MaxProperties {
		t.Errorf("%d tags, %d properties", len(hit.Tags), len(hit.Properties))
	}
	if message.AnonymousID == "" && message.UserID == "" {
		t.Error("nobody sent it")
	}
	if hit.At < earliest || hit.At >= latest {
		t.Errorf("at %v", hit.At)
	}
	if read, err := model.ParseDecimal(hit.Value.String()); err != nil || read != hit.Value {
		t.Errorf("value %v", hit.Value)
	}
	if hit.ID == (model.MessageID{}) {
		t.Error("no id")
	}
	if (hit.Kind == model.PageView || hit.Kind == model.Event) && hit.Name == "" {
		t.Error("no name")
	}
	if got := model.Path(hit.Name); hit.Kind == model.PageView && strings.HasPrefix(hit.Name, "/") && got != hit.Name {
		t.Errorf("the path %q has the form %q", clip(hit.Name), clip(got))
	}
	for _, host := range []string{hit.Origin.Referrer, hit.Origin.Hostname} {
		if got := model.Host(host); got != host {
			t.Errorf("the host %q has the form %q", clip(host), clip(got))
		}
	}
}

func millis(t *testing.T, text string) model.Millis {
	t.Helper()
	moment, err := time.Parse(time.RFC3339, text)
	if err != nil {
		t.Fatal(err)
	}
	return model.MillisOf(moment)
}

func TestMessage(t *testing.T) {
	decoder := newTestDecoder(t)
	at := millis(t, "2026-01-02T03:04:05.678Z")
	const common = `"messageId":"m1","anonymousId":"a","timestamp":"2026-01-02T03:04:05.678Z"`
	id := model.MessageIDOf("m1")
	hit := func(kind model.HitKind, name string, change func(*model.Hit)) model.Message {
		message := model.Message{AnonymousID: "a", Hit: model.Hit{ID: id, At: at, Kind: kind, Name: name}}
		if kind == model.PageView {
			message.Hit.Origin.EntryPage = name
			message.Hit.Knows = model.KnowsAcquisition | model.KnowsPage
		}
		if change != nil {
			change(&message.Hit)
		}
		return message
	}
	onHost := func(host string) func(*model.Hit) { return func(h *model.Hit) { h.Origin.Hostname = host } }
	for _, test := range []struct {
		name, text string
		want       model.Message
	}{
		{"page by path", `{"type":"page","name":"N","properties":{"path":"/p","url":"http://x.test/u"}}`, hit(model.PageView, "/p", onHost("x.test"))},
		{"page by url", `{"type":"Page","name":"N","properties":{"url":"http://X.test:81/u?q#f"},"context":{"page":{"url":"http://y.test/c"}}}`, hit(model.PageView, "/u", onHost("x.test"))},
		{"page by its context's url", `{"type":"PAGE","name":"N","context":{"page":{"url":"http://x.test"}}}`, hit(model.PageView, "/", onHost("x.test"))},
		{"page by name", `{"type":"page","name":"N","properties":{"url":"nonsense"}}`, hit(model.PageView, "N", nil)},
		{"screen by path", `{"type":"screen","name":"S","properties":{"path":"/p"}}`, hit(model.PageView, "/p", nil)},
		{"screen by its context's url", `{"type":"screen","name":"S","context":{"page":{"url":"http://x.test/c"}}}`, hit(model.PageView, "/c", onHost("x.test"))},
		{"screen by name", `{"type":"screen","name":"S"}`, hit(model.PageView, "S", nil)},
		{"path with a query", `{"type":"page","properties":{"path":"/p?q#f"}}`, hit(model.PageView, "/p", nil)},
		{"path that is a url", `{"type":"page","properties":{"path":"http://x.test/p?q"}}`, hit(model.PageView, "/p", nil)},
		{"path of a query alone", `{"type":"page","properties":{"path":"?q","url":"http://x.test/u"}}`, hit(model.PageView, "/u", onHost("x.test"))},
		{"path that is no path", `{"type":"page","name":"N","properties":{"path":"a b?q"}}`, hit(model.PageView, "a%20b", nil)},
		{"path in UTF-8", `{"type":"page","properties":{"path":"/café"}}`, hit(model.PageView, "/café", nil)},
		{"path in percent", `{"type":"page","properties":{"path":"/caf%c3%a9/%7E%2f"}}`, hit(model.PageView, "/café/~%2F", nil)},
		{"path in Latin-1", "{\"type\":\"page\",\"properties\":{\"path\":\"/\xe9\\u0041\"}}", hit(model.PageView, "/%E9A", nil)},
		{"path in Latin-1, in percent", `{"type":"page","properties":{"url":"http://x.test/%e9"}}`, hit(model.PageView, "/%E9", onHost("x.test"))},
		{"name that is no path", `{"type":"screen","name":"Your Cart (100%)?"}`, hit(model.PageView, "Your Cart (100%)?", nil)},
		{"host in Punycode", `{"type":"page","properties":{"url":"http://XN--CAF-DMA.example./p","referrer":"https://www.Google.com.:443/"}}`, hit(model.PageView, "/p", func(h *model.Hit) {
			h.Origin.Hostname, h.Origin.Referrer = "café.example", "www.google.com"
		})},
		{"campaign of the url", `{"type":"page","properties":{"url":"http://x.test/p?utm_source=s&utm_medium=a%20b#f"}}`, hit(model.PageView, "/p", func(h *model.Hit) {
			h.Origin.Hostname, h.Origin.UTM = "x.test", model.UTM{Source: "s", Medium: "a b"}
		})},
		{"campaign of the context's url", `{"type":"page","name":"N","context":{"page":{"url":"http://x.test/?utm_campaign=n"}}}`, hit(model.PageView, "/", func(h *model.Hit) {
			h.Origin.Hostname, h.Origin.UTM = "x.test", model.UTM{Campaign: "n"}
		})},
		{"campaign over that of the url", `{"type":"page","properties":{"url":"http://x.test/?utm_source=u&utm_term=t"},"context":{"campaign":{"source":"s"}}}`, hit(model.PageView, "/", func(h *model.Hit) {
			h.Origin.Hostname, h.Origin.UTM = "x.test", model.UTM{Source: "s", Term: "t"}
		})},
		{"track on a page", `{"type":"track","event":"E","properties":{"url":"http://linked.test?utm_source=u"},"context":{"page":{"url":"http://x.test/p?utm_source=s","referrer":"http://r.test"}}}`, hit(model.Event, "E", func(h *model.Hit) {
			h.Knows, h.Origin.Referrer, h.Origin.UTM.Source = model.KnowsAcquisition, "r.test", "s"
		})},
		{"track without a page", `{"type":"track","event":"E","properties":{"url":"http://linked.test?utm_source=u","referrer":"http://r.test"},"context":{"page":{},"campaign":null}}`, hit(model.Event, "E", nil)},
		{"track of a campaign", `{"type":"track","event":"E","context":{"campaign":{"medium":"m"}}}`, hit(model.Event, "E", func(h *model.Hit) {
			h.Knows, h.Origin.UTM.Medium = model.KnowsAcquisition, "m"
		})},
		{"track by a browser", `{"type":"track","event":"E","context":{"userAgent":"` + chrome + `"}}`, hit(model.Event, "E", func(h *model.Hit) {
			h.Knows, h.Origin.Browser, h.Origin.OS, h.Origin.Device = model.KnowsAgent, "Chrome", "Windows", model.Desktop
		})},
		{"track by a library", `{"type":"track","event":"E","context":{"userAgent":"python-requests/2.31.0"}}`, hit(model.Event, "E", nil)},
		{"track with a locale", `{"type":"track","event":"E","context":{"locale":"de"}}`, hit(model.Event, "E", func(h *model.Hit) {
			h.Knows, h.Origin.Language = model.KnowsLanguage, "de"
		})},
		{"track from a country", `{"type":"track","event":"E","context":{"location":{"country":"de"}}}`, hit(model.Event, "E", func(h *model.Hit) {
			h.Knows, h.Origin.Country = model.KnowsAddress, "DE"
		})},
		{"value", `{"type":"track","event":"E","properties":{"value":-1.5,"revenue":2}}`, hit(model.Event, "E", func(h *model.Hit) { h.Value, h.HasValue = -3*model.One/2, true })},
		{"value zero", `{"type":"track","event":"E","properties":{"value":0,"revenue":2}}`, hit(model.Event, "E", func(h *model.Hit) { h.HasValue = true })},
		{"revenue", `{"type":"track","event":"E","properties":{"value":null,"revenue":9.99}}`, hit(model.Event, "E", func(h *model.Hit) { h.Value, h.HasValue = 999*model.One/100, true })},
		{"names have a case", `{"type":"track","event":"E","properties":{"Value":1}}`, hit(model.Event, "E", nil)},
		{"value in a string", `{"type":"track","event":"E","properties":{"value":" 49.99 ","revenue":true}}`, hit(model.Event, "E", func(h *model.Hit) { h.Value, h.HasValue = 4999*model.One/100, true })},
		{"no value", `{"type":"track","event":"E","properties":{"value":null}}`, hit(model.Event, "E", nil)},
		{"value of a page", `{"type":"page","name":"N","properties":{"value":"large"}}`, hit(model.PageView, "N", nil)},
		{"experiment", `{"type":"track","event":"Experiment Viewed","properties":{"experiment_id":"x","variation_name":"b"}}`, hit(model.Event, "Experiment Viewed", func(h *model.Hit) { h.Experiment, h.Variant = "x", "b" })},
		{"experiment's other names", `{"type":"track","event":"Experiment Viewed","properties":{"experimentKey":"x","experiment_name":"Long","variantKey":1}}`, hit(model.Event, "Experiment Viewed", func(h *model.Hit) { h.Experiment, h.Variant = "x", "1" })},
		{"experiment without a variant", `{"type":"track","event":"Experiment Viewed","properties":{"experiment_id":"x"}}`, hit(model.Event, "Experiment Viewed", nil)},
		{"experiment of another event", `{"type":"track","event":"E","properties":{"experiment_id":"x","variation_id":"b"}}`, hit(model.Event, "E", nil)},
		{
			"identify", `{"type":"identify","userId":7,"traits":{"plan":"pro","age":30,"ok":true,"none":null,"list":[1],"o":{"a":1}},"context":{"traits":{"plan":"free","city":"Cluj"}}}`,
			func() model.Message {
				m := hit(model.Traits, "", func(h *model.Hit) {
					h.Properties = map[string]string{"plan": "pro", "age": "30", "ok": "true", "city": "Cluj"}
				})
				m.UserID = "7"
				return m
			}(),
		},
		{
			"alias", `{"type":"alias","previousId":"old","userId":"new"}`,
			model.Message{AnonymousID: "old", UserID: "new", Hit: model.Hit{ID: id, At: at}},
		},
		{"tags", `{"type":"track","event":"E","properties":{"tags":["b","a","b","",7]},"context":{"tags":"c"}}`, hit(model.Event, "E", func(h *model.Hit) { h.Tags = []string{"b", "a", "7", "c"} })},
		{
			"origin", `{"type":"page","name":"N","properties":{"referrer":"http://other.test"},"context":{
				"page":{"referrer":"https://www.Google.com/x"},"userAgent":"` + chrome + `","locale":"ro_RO","ip":"::ffff:81.2.69.142",
				"sessionId":1795225089557,"campaign":{"source":"s","medium":"m","name":"n","term":"t","content":"c"}}}`,
			hit(model.PageView, "N", func(h *model.Hit) {
				h.Knows |= model.KnowsAgent | model.KnowsLanguage | model.KnowsAddress
				h.SessionKey = "1795225089557"
				h.Origin = model.Origin{
					IP: "81.2.69.142", Country: "GB", Referrer: "www.google.com", EntryPage: "N", Browser: "Chrome", OS: "Windows",
					Device: model.Desktop, Language: "ro-ro", UTM: model.UTM{Source: "s", Medium: "m", Campaign: "n", Term: "t", Content: "c"},
				}
			}),
		},
		{"country given", `{"type":"page","name":"N","context":{"ip":"81.2.69.142","location":{"country":"ro"}}}`, hit(model.PageView, "N", func(h *model.Hit) {
			h.Knows |= model.KnowsAddress
			h.Origin.IP, h.Origin.Country = "81.2.69.142", "RO"
		})},
		{"country by name", `{"type":"page","name":"N","context":{"ip":"0.0.0.0","location":{"country":"Romania"}}}`, hit(model.PageView, "N", nil)},
		{"referrer of properties", `{"type":"page","name":"N","properties":{"referrer":"http://other.test"},"context":{"page":{"referrer":""}}}`, hit(model.PageView, "N", func(h *model.Hit) { h.Origin.Referrer = "other.test" })},
		{"wrong types", `{"type":"page","name":"N","properties":[1],"context":{"page":7,"campaign":"x","tags":{"a":1},"locale":["en"],"userAgent":5,"ip":false,"location":null,"sessionId":{}}}`, hit(model.PageView, "N", nil)},
		{"escapes", `{"type":"p\u0061ge","n\u0061me":"\u0000N\ud83d\ude00\n"}`, hit(model.PageView, "N😀\n", nil)},
		{"invalid UTF-8", "{\"type\":\"page\",\"name\":\"N\xff\xfe\"}", hit(model.PageView, "N", nil)},
		{"space", " \n{ \"type\" : \"page\" ,\t\"name\" : \"N\" , \"properties\" : { } , \"x\" : [ ] , \"y\" : [ 1 , { } ] } ", hit(model.PageView, "N", nil)},
	} {
		text := strings.Replace(test.text, "{", "{"+common+",", 1)
		got, kept, err := decoder.Message([]byte(text), Envelope{})
		if err != nil || !kept {
			t.Errorf("%s: kept %v, error %v", test.name, kept, err)
			continue
		}
		t.Run(test.name, func(t *testing.T) {
			equalMessages(t, got, test.want)
			checkSane(t, got)
		})
	}
}

// There is a message that fills every dimension of a first hit.
func TestMessageFillsEachDimension(t *testing.T) {
	const text = `{"type":"page","messageId":"m","anonymousId":"a","timestamp":"2026-01-02T03:04:05Z","context":{
		"page":{"url":"https://shop.test/p","referrer":"https://other.test"},"userAgent":"` + chrome + `","locale":"ro","ip":"81.2.69.142",
		"campaign":{"source":"s","medium":"m","name":"n","term":"t","content":"c"},"location":{"country":"GB","region":"England","city":"London"}}}`
	message, kept, err := newTestDecoder(t).Message([]byte(text), Envelope{})
	if err != nil || !kept {
		t.Fatal(err)
	}
	for _, d := range dimension.Origins() {
		if *d.Origin(&message.Hit.Origin) == "" {
			t.Errorf("nothing fills %s", d.Name)
		}
	}
}

func TestMessageIgnored(t *testing.T) {
	decoder := newTestDecoder(t)
	for _, text := range []string{
		`{"type":"group","userId":"u","groupId":"g","timestamp":"2026-01-02T03:04:05Z"}`,
		`{"type":"group","anonymousId":"a","groupId":"g","timestamp":"2026-01-02T03:04:05Z"}`,
		`{"type":"group","groupId":"g"}`,
		`{"type":"alias","userId":"u","previousId":"u","timestamp":"2026-01-02T03:04:05Z"}`,
	} {
		if _, kept, err := decoder.Message([]byte(text), Envelope{}); kept || err != nil {
			t.Errorf("%s: kept %v, error %v", text, kept, err)
		}
	}
}

// Any message with both ids links, and a group does nothing else.
func TestMessageGroupLinks(t *testing.T) {
	message, kept, err := newTestDecoder(t).Message([]byte(`{"type":"group","userId":"u","anonymousId":"a","groupId":"g","timestamp":"2026-01-02T03:04:05Z"}`), Envelope{})
	if err != nil || !kept || message.UserID != "u" || message.AnonymousID != "a" || message.Hit.Kind != 0 || message.Hit.At == 0 {
		t.Errorf("kept %v, %+v, %v", kept, message, err)
	}
}

func TestMessageRejects(t *testing.T) {
	decoder := newTestDecoder(t)
	track := func(properties string) string {
		return `{"type":"track","event":"E","userId":"u","timestamp":"2026-01-02T03:04:05Z","properties":` + properties + `}`
	}
	for _, test := range []struct{ text, reason string }{
		{``, "not JSON"},
		{`{"type":"page"`, "not JSON"},
		{`{"type":"page"} {}`, "not JSON"},
		{strings.Repeat("[", 20000), "not JSON"},
		{strings.Repeat(`{"a":`, 5000) + "1", "not JSON"},
		{`[]`, "not a JSON object"},
		{`null`, "not a JSON object"},
		{`"page"`, "not a JSON object"},
		{`{"type":"page","x":"` + strings.Repeat("x", MaxMessageBytes) + `"}`, "larger than 32 KiB"},
		{`{}`, "type: is missing"},
		{`{"type":7}`, "type: is missing"},
		{`{"type":"pag\u0000e"}`, "unknown type"},
		{`{"batch":[]}`, "type: is missing"},
		{`{"type":"page","anonymousId":"a","timestamp":"2026-01-02T03:04:05Z"}`, "needs a path"},
		{`{"type":"screen","anonymousId":"a"}`, "a screen needs a path, url or name"},
		{`{"type":"track","anonymousId":"a"}`, "the name of the event"},
		{`{"type":"track","event":"\u0000","anonymousId":"a"}`, "the name of the event"},
		{`{"type":"track","event":"E"}`, "anonymousId and userId are both missing"},
		{`{"type":"track","event":"E","userId":null,"anonymousId":{}}`, "anonymousId and userId are both missing"},
		{`{"type":"alias","userId":"u"}`, "previousId and userId"},
		{`{"type":"track","event":"E","userId":"u","properties":{"value":1e16}}`, "properties.value: 1e16 is too large"},
		{`{"type":"track","event":"E","userId":"u","properties":{"value":"much"}}`, `properties.value: "much" is not a number`},
		{`{"type":"track","event":"E","userId":"u","properties":{"revenue":"-9000000000000"}}`, "properties.revenue: -9000000000000 is too large"},
		{`{"type":"track","event":"E","userId":"u"}`, "timestamp: is missing"},
		{`{"type":"track","event":"E","userId":"u","timestamp":"yesterday"}`, "not a time"},
		{`{"type":"track","event":"E","userId":"u","timestamp":true}`, "must be a string or a number"},
		{`{"type":"track","event":"E","userId":"u","timestamp":"0001-01-01T00:00:00Z"}`, "0001-01-01T00:00:00Z is outside the years 1990 to 2199"},
		{`{"type":"track","event":"E","userId":"u","timestamp":"9999-12-31T00:00:00Z"}`, "9999-12-31T00:00:00Z is outside the years"},
		{`{"type":"track","event":"E","userId":"u","timestamp":1767323045}`, "1767323045 is outside the years 1990 to 2199; numbers are milliseconds since 1970"},
		{`{"type":"track","event":"E","userId":"u","timestamp":1e999}`, "1e999 is outside the years"},
		{track(`{"value":"cheap"}`), `properties.value: "cheap" is not a number; write one like 49.99`},
		{track(`{"value":""}`), "properties.value: an empty text is not a number"},
		{track(`{"value":"1,000"}`), "is not a number"},
		{track(`{"value":"1_000"}`), "is not a number"},
		{track(`{"value":"0x10"}`), "is not a number"},
		{track(`{"value":"NaN"}`), "is not a number"},
		{track(`{"value":"Infinity"}`), "is not a number"},
		{track(`{"value":true,"revenue":1}`), "properties.value: true is not a number"},
		{track(`{"value":[1]}`), "properties.value: [1] is not a number"},
		{track(`{"revenue":{"usd":1}}`), `properties.revenue: {"usd":1} is not a number`},
		{track(`{"value":9e12}`), "properties.value: 9e12 is too large; a value lies between -9000000000000 and 9000000000000"},
		{track(`{"value":-9000000000000}`), "is too large"},
		{track(`{"value":"1e999"}`), "is too large"},
	} {
		_, _, err := decoder.Message([]byte(test.text), Envelope{})
		if err == nil || !strings.Contains(err.Error(), test.reason) {
			t.Errorf("%s: error %v, want one with %q", clip(test.text), err, test.reason)
		} else if model.CodeOf(err) != model.BadInput {
			t.Errorf("%s: code %s", clip(test.text), model.CodeOf(err))
		}
	}
}

func TestMessageID(t *testing.T) {
	decoder := newTestDecoder(t)
	id := func(text string, envelope Envelope) model.MessageID {
		message, _, err := decoder.Message([]byte(text), envelope)
		if err != nil {
			t.Fatal(err)
		}
		return message.Hit.ID
	}
	const one = `{"type":"track","event":"E","userId":"u","timestamp":"2026-01-02T03:04:05Z","sentAt":"2026-01-02T03:04:05Z"}`
	const same = `{ "userId":"u", "sentAt":"2026-01-02T03:04:06Z","timestamp":"2026-01-02T03:04:05Z","event":"\u0045","type":"track"}`
	const other = `{"type":"track","event":"F","userId":"u","timestamp":"2026-01-02T03:04:05Z"}`
	if id(one, Envelope{}) != id(same, Envelope{Received: 1767323045000}) {
		t.Error("a message sent once more has another id")
	}
	if id(one, Envelope{}) == id(other, Envelope{}) {
		t.Error("two messages have one id")
	}
	const untimed = `{"type":"track","event":"E","userId":"u"}`
	if id(untimed, Envelope{Received: 1767323045000}) == id(untimed, Envelope{Received: 1767323045001}) {
		t.Error("two messages without a time have one id")
	}
	const named = `{"messageId":7,"type":"track","event":"E","userId":"u","timestamp":"2026-01-02T03:04:05Z"}`
	if id(named, Envelope{}) != model.MessageIDOf("7") {
		t.Error("messageId is not the id")
	}
}

func TestMessageEnvelope(t *testing.T) {
	decoder := newTestDecoder(t)
	message, kept, err := decoder.Message([]byte(`{"event":"E","userId":"u"}`), Envelope{Received: 1767323045000, Type: "track", IP: "81.2.69.142"})
	if err != nil || !kept {
		t.Fatal(kept, err)
	}
	if hit := message.Hit; hit.Kind != model.Event || hit.Origin.IP != "81.2.69.142" || hit.Origin.Country != "GB" {
		t.Errorf("%+v", hit)
	}
}

func TestMessageLimits(t *testing.T) {
	decoder := newTestDecoder(t)
	var tags, traits []string
	for i := range 1000 {
		tags = append(tags, string(rune('a'+i%26))+strings.Repeat("x", i/26))
		traits = append(traits, `"`+string(rune('a'+i%26))+strings.Repeat("x", i/26)+`":"v"`)
	}
	list, _ := json.Marshal(tags)
	for _, text := range []string{
		`{"type":"track","event":"` + strings.Repeat("я", 5000) + `","userId":"u","timestamp":1767254400000}`,
		`{"type":"track","event":"E","userId":"u","timestamp":1767254400000,"properties":{"tags":` + string(list) + `}}`,
		`{"type":"identify","userId":"u","timestamp":1767254400000,"traits":{` + strings.Join(traits, ",") + `},"context":{"traits":{"first":"x"}}}`,
	} {
		message, kept, err := decoder.Message([]byte(text), Envelope{})
		if err != nil || !kept {
			t.Errorf("%s: kept %v, error %v", clip(text), kept, err)
			continue
		}
		checkSane(t, message)
		if n := len(message.Hit.Tags); n != 0 && n != model.MaxTags {
			t.Errorf("%d tags", n)
		}
		if p := message.Hit.Properties; p != nil && (len(p) != model.MaxProperties || p["first"] != "") {
			t.Errorf("%d properties", len(p))
		}
	}
}

// request is one recorded request of an SDK.
type request struct {
	Method string
	Body   json.RawMessage
}

// wireMessages returns the messages that real SDKs sent, by file.
func wireMessages(tb testing.TB) map[string][]json.RawMessage {
	tb.Helper()
	files, err := filepath.Glob("testdata/wire/*.jsonl")
	if err != nil || len(files) == 0 {
		tb.Fatalf("no recorded requests: %v", err)
	}
	messages := map[string][]json.RawMessage{}
	for _, file := range files {
		f, err := os.Open(file)
		if err != nil {
			tb.Fatal(err)
		}
		lines := bufio.NewScanner(f)
		lines.Buffer(nil, 1<<20)
		for lines.Scan() {
			var r request
			if err := json.Unmarshal(lines.Bytes(), &r); err != nil {
				tb.Fatal(err)
			}
			if r.Method != "POST" {
				continue
			}
			var body struct{ Batch []json.RawMessage }
			if err := json.Unmarshal(r.Body, &body); err != nil {
				tb.Fatal(err)
			}
			if body.Batch == nil {
				body.Batch = []json.RawMessage{r.Body}
			}
			messages[filepath.Base(file)] = append(messages[filepath.Base(file)], body.Batch...)
		}
		f.Close()
	}
	return messages
}

func TestMessagesOfSDKs(t *testing.T) {
	decoder := newTestDecoder(t)
	for file, messages := range wireMessages(t) {
		seen := map[string]int{}
		for _, raw := range messages {
			message, kept, err := decoder.Message(raw, Envelope{Received: 1795225005343})
			if err != nil {
				t.Errorf("%s: %v: %s", file, err, raw)
				continue
			}
			var shape struct{ Type, MessageID string }
			if err := json.Unmarshal(raw, &shape); err != nil {
				t.Fatal(err)
			}
			if !kept {
				seen["ignored"]++
				continue
			}
			seen[shape.Type]++
			checkSane(t, message)
			if message.Hit.ID != model.MessageIDOf(shape.MessageID) {
				t.Errorf("%s: id of %s", file, raw)
			}
			if message.Hit.Name == "Order Completed" && message.Hit.Value != 999*model.One/100 {
				t.Errorf("%s: value %v", file, message.Hit.Value)
			}
			if strings.Contains(file, "browser") && shape.Type == "page" {
				if o := message.Hit.Origin; message.Hit.Name != "/p" || o.Referrer != "www.google.com" || o.UTM.Source != "news" || o.Language != "en-us" {
					t.Errorf("%s: %+v", file, message.Hit)
				}
			}
		}
		t.Log(file, seen)
		seen["group"] += seen["ignored"] // one that links nobody
		for _, kind := range []string{"page", "track", "identify", "group"} {
			if seen[kind] == 0 {
				t.Errorf("%s: no %s", file, kind)
			}
		}
	}
}

func FuzzMessage(f *testing.F) {
	for _, messages := range wireMessages(f) {
		for _, raw := range messages {
			f.Add([]byte(raw))
		}
	}
	f.Add([]byte(`{"type":"track","event":"E\u0000\ud800","userId":1e5,"timestamp":1767254400000,"properties":{"value":1e15,"tags":[[{}],"a"]}}`))
	decoder := newTestDecoder(f)
	f.Fuzz(func(t *testing.T, raw []byte) {
		for _, envelope := range []Envelope{{}, {Received: 1795225005343, Type: "track", IP: "8.8.8.8"}} {
			message, kept, err := decoder.Message(raw, envelope)
			if err != nil && (model.CodeOf(err) != model.BadInput || !utf8.ValidString(err.Error())) {
				t.Errorf("error %q", err)
			}
			if err == nil && kept {
				checkSane(t, message)
			}
			again, _, _ := decoder.Message(raw, envelope)
			if !reflect.DeepEqual(message, again) {
				t.Error("differs the second time")
			}
		}
	})
}

// FuzzJSON holds the reader of JSON against encoding/json.
func FuzzJSON(f *testing.F) {
	f.Add([]byte(` {"a" : [1, "x\"}]", {"b":null}] , "c":-1.5e3} `))
	f.Fuzz(func(t *testing.T, raw []byte) {
		v, err := parseValue(raw)
		if (err == nil) != json.Valid(raw) {
			t.Fatalf("error %v", err)
		}
		if err != nil {
			return
		}
		var want map[string]json.RawMessage
		if json.Unmarshal(raw, &want) == nil && v.isObject() && utf8.Valid(raw) {
			got := map[string]json.RawMessage{}
			v.members(func(name []byte, member value) { got[string(name)] = json.RawMessage(member) })
			if !reflect.DeepEqual(got, want) {
				t.Errorf("got %q, want %q", got, want)
			}
		}
		var list []json.RawMessage
		if json.Unmarshal(raw, &list) == nil {
			at := 0
			v.elements(func(element value) {
				if at < len(list) && string(element) != string(list[at]) {
					t.Errorf("element %d: %q, want %q", at, element, list[at])
				}
				at++
			})
			if at != len(list) {
				t.Errorf("%d elements, want %d", at, len(list))
			}
		}
		var text string
		if v.isString() && json.Unmarshal(raw, &text) == nil && utf8.Valid(raw) && v.text() != text {
			t.Errorf("text %q, want %q", v.text(), text)
		}
	})
}

func BenchmarkMessage(b *testing.B) {
	var raw [][]byte
	size := 0
	for _, message := range wireMessages(b)["segment-browser.jsonl"] {
		raw = append(raw, message)
		size += len(message)
	}
	decoder := newTestDecoder(b)
	b.SetBytes(int64(size / len(raw)))
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		if _, _, err := decoder.Message(raw[i%len(raw)], Envelope{Received: 1795225005343}); err != nil {
			b.Fatal(err)
		}
	}
}
