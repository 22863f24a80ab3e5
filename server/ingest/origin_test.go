package ingest

import (
	"testing"

	"github.com/goalgraph/goalgraph/model"
)

// A message has the members of its batch's context that it does not give itself.
func TestMessageContextOfBatch(t *testing.T) {
	decoder := newTestDecoder(t)
	for _, test := range []struct {
		context, batch string
		want           model.Origin
		knows          model.Knowledge
	}{
		{`{}`, `{"library":{"name":"analytics-go","version":"3.0"}}`, model.Origin{}, 0},
		{`{}`, `{"library":{"name":"analytics.js"}}`, model.Origin{IP: "8.8.8.8"}, model.KnowsAddress},
		{`{"library":{"name":"analytics.js"}}`, `{"library":{"name":"analytics-go"}}`, model.Origin{IP: "8.8.8.8"}, model.KnowsAddress},
		{`{"ip":"81.2.69.142"}`, `{"library":{"name":"analytics-go"},"ip":"9.9.9.9"}`, model.Origin{IP: "81.2.69.142", Country: "GB"}, model.KnowsAddress},
		{`{"ip":null,"locale":"de"}`, `{"library":{"name":"analytics-go"},"ip":"9.9.9.9","locale":"ro"}`, model.Origin{IP: "9.9.9.9", Language: "de"}, model.KnowsAddress | model.KnowsLanguage},
		{`{"campaign":{"source":"s"}}`, `{"library":{"name":"analytics-go"},"campaign":{"source":"t","medium":"m"},"page":{"referrer":"http://r.test"}}`, model.Origin{Referrer: "r.test", UTM: model.UTM{Source: "s"}}, model.KnowsAcquisition},
		{`{}`, `{"library":{"name":"analytics-go"},"page":{"url":"http://x.test/?utm_source=s"}}`, model.Origin{UTM: model.UTM{Source: "s"}}, model.KnowsAcquisition},
		{`{}`, `[1]`, model.Origin{IP: "8.8.8.8"}, model.KnowsAddress},
	} {
		envelope := Envelope{Received: 1767323045000, IP: "8.8.8.8", context: value(test.batch)}
		message, kept, err := decoder.Message([]byte(`{"type":"track","event":"E","userId":"u","context":`+test.context+`}`), envelope)
		if err != nil || !kept || message.Hit.Origin != test.want || message.Hit.Knows != test.knows {
			t.Errorf("%s in %s: %+v, knows %b, %v", test.context, test.batch, message.Hit.Origin, message.Hit.Knows, err)
		}
	}
}

func TestMessageOfBot(t *testing.T) {
	decoder := newTestDecoder(t)
	for _, test := range []struct {
		context string
		isBot   bool
	}{
		{`{"userAgent":"Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)"}`, true},
		{`{"userAgent":"python-requests/2.31.0","library":{"name":"analytics-python"}}`, true},
		{`{"userAgent":""}`, true},
		{`{"userAgent":"kube-probe/1.27"}`, true},
		{`{"userAgent":"` + chrome + `"}`, false},
		{`{"userAgent":null}`, false},
		{`{"library":{"name":"analytics-node"}}`, false},
		{`{}`, false},
	} {
		text := []byte(`{"type":"track","event":"Experiment Viewed","userId":"u","timestamp":1767323045000,"context":` + test.context + `}`)
		for policy, excludes := range map[model.BotPolicy]bool{model.ExcludeBots: true, model.IncludeBots: false, "": false} {
			want := kept
			if test.isBot && excludes {
				want = bot
			}
			if _, is, err := decoder.messageLine(text, Envelope{Bots: policy}); err != nil || is != want {
				t.Errorf("%s, %q: fate %d, want %d; %v", test.context, policy, is, want, err)
			}
		}
	}
}
