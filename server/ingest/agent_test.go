package ingest

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/goalgraph/goalgraph/model"
)

func newTestAgents(tb testing.TB) *Agents {
	tb.Helper()
	agents, err := NewAgents()
	if err != nil {
		tb.Fatal(err)
	}
	return agents
}

func TestAgent(t *testing.T) {
	agents := newTestAgents(t)
	for text, want := range map[string]Agent{
		"":     {Bot: true},
		"-":    {Bot: true},
		chrome: {Browser: "Chrome", OS: "Windows", Device: model.Desktop},
		"Mozilla/5.0 (iPhone; CPU iPhone OS 17_2 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.2 Mobile/15E148 Safari/604.1": {Browser: "Safari", OS: "iOS", Device: model.Mobile},
		"Mozilla/5.0 (iPad; CPU OS 13_3 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/13.0 Mobile/15E148 Safari/604.1":          {Browser: "Safari", OS: "iOS", Device: model.Tablet},
		"Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)":                                                                {Browser: "Googlebot", Device: model.OtherDevice, Bot: true},
		"curl/8.4.0": {Browser: "curl", Device: model.OtherDevice, Bot: true, Library: true},
		"nonsense":   {Browser: "nonsense", Device: model.OtherDevice},
	} {
		for range 2 {
			if got := agents.Agent(text); got != want {
				t.Errorf("%q: %+v, want %+v", text, got, want)
			}
		}
	}
}

func TestAgentsAreBounded(t *testing.T) {
	agents := newTestAgents(t)
	var all sync.WaitGroup
	for part := range 4 {
		all.Go(func() {
			for i := range agentsKept / 2 {
				agents.Agent(fmt.Sprintf("agent %d of %d", i, part))
			}
		})
	}
	all.Wait()
	agents.cache.CleanUp()
	if n := agents.cache.EstimatedSize(); n > agentsKept {
		t.Errorf("%d are kept", n)
	}
}

func FuzzAgent(f *testing.F) {
	f.Add(chrome)
	f.Add("Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)")
	f.Add("\xff(/;" + strings.Repeat("(", 100))
	agents := newTestAgents(f)
	f.Fuzz(func(t *testing.T, text string) {
		agent := agents.Agent(text)
		checkSane(t, model.Message{UserID: "u", Hit: model.Hit{
			ID: model.MessageID{1}, At: earliest, Origin: model.Origin{Browser: agent.Browser, OS: agent.OS},
		}})
	})
}
