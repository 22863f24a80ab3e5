package ingest

import (
	"testing"

	"github.com/goalgraph/goalgraph/model"
)

// Messages of a file are a bot's by the site's policy, unless all bots are included.
func TestImportOfBotsMessages(t *testing.T) {
	const lines = `{"type":"page","name":"A","userId":"u","timestamp":"2026-01-02T03:04:05Z","context":{"userAgent":"Googlebot/2.1 (+http://www.google.com/bot.html)"}}
{"type":"page","name":"B","userId":"u","timestamp":"2026-01-02T03:04:05Z","context":{"userAgent":"` + chrome + `"}}
{"type":"page","name":"C","userId":"u","timestamp":"2026-01-02T03:04:05Z","context":{"library":{"name":"analytics-python"}}}
`
	file := writeFile(t, "a.json", lines)
	for _, test := range []struct {
		bots     model.BotPolicy
		included bool
		want     Summary
	}{
		{model.ExcludeBots, false, Summary{Lines: 3, Messages: 2, Bots: 1}},
		{model.ExcludeBots, true, Summary{Lines: 3, Messages: 3}},
		{model.IncludeBots, false, Summary{Lines: 3, Messages: 3}},
	} {
		var s sink
		plan, err := NewPlan(t.Context(), Options{Files: []string{file}, Format: Messages, IncludeBots: test.included, Write: s.write})
		if err != nil {
			t.Fatal(err)
		}
		defer plan.Close()
		plan.SetBots(test.bots)
		test.want.Format = string(Messages)
		if got, err := plan.Run(t.Context()); err != nil || got != test.want {
			t.Errorf("%s, all included %t: %+v, %v; want %+v", test.bots, test.included, got, err, test.want)
		}
	}
}
