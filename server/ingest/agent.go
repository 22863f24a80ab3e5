package ingest

import (
	"fmt"
	"strings"

	"github.com/maypok86/otter/v2"
	"github.com/mileusna/useragent"

	"github.com/goalgraph/goalgraph/model"
	"github.com/goalgraph/goalgraph/server/ingest/bots"
)

// Agent is what a user agent string tells. Empty fields are unknown.
type Agent struct {
	Browser, OS string
	// Device is empty only for an empty user agent string.
	Device model.Device
	// Bot tells that the kept list has it, as a crawler's, a monitor's or a library's, or
	// that there is none. Library tells which of them is a library.
	Bot, Library bool
}

// agentsKept bounds the cache: some ten megabytes at most in practice, and more
// than the distinct user agents of most sites' busiest hour.
const agentsKept = 8192

// Agents reads user agent strings. The same few thousand of them come again and
// again, so it remembers what it made of the last ones. It is safe for use by
// several goroutines.
type Agents struct {
	bots  *bots.List
	cache *otter.Cache[string, Agent]
}

// NewAgents returns Agents with an empty cache and the kept list of crawlers.
func NewAgents() (*Agents, error) {
	list, err := bots.Load()
	if err != nil {
		return nil, err
	}
	cache, err := otter.New(&otter.Options[string, Agent]{MaximumSize: agentsKept})
	if err != nil {
		return nil, fmt.Errorf("cache of user agents: %w", err)
	}
	return &Agents{bots: list, cache: cache}, nil
}

// Agent reads a user agent string. "-", as logs write a missing one, and the
// empty string tell nothing but that no browser sent them.
func (a *Agents) Agent(userAgent string) Agent {
	if userAgent == "" || userAgent == "-" {
		return Agent{Bot: true}
	}
	userAgent = clean(userAgent)
	if agent, ok := a.cache.GetIfPresent(userAgent); ok {
		return agent
	}
	// The string is part of a line of which the cache must not keep the rest.
	userAgent = strings.Clone(userAgent)
	agent := parseAgent(userAgent)
	kind := a.bots.Kind(userAgent)
	agent.Bot, agent.Library = kind != bots.Person, kind == bots.Library
	a.cache.Set(userAgent, agent)
	return agent
}

func parseAgent(userAgent string) Agent {
	parsed := useragent.Parse(userAgent)
	agent := Agent{Browser: clean(parsed.Name), OS: clean(parsed.OS), Device: model.OtherDevice}
	switch {
	case parsed.Bot:
	case parsed.Tablet:
		agent.Device = model.Tablet
	case parsed.Mobile:
		agent.Device = model.Mobile
	case parsed.Desktop:
		agent.Device = model.Desktop
	}
	return agent
}
