package bots

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
)

//go:embed crawler-user-agents.json
var listJSON []byte

// List is a set of patterns of crawlers' user agents. It is safe for use by
// several goroutines.
//
// Nearly all of the kept patterns are plain text once their escapes are undone,
// and searching for each of those in turn is ten times faster than one regular
// expression that is the alternation of all. So only what is left is matched as
// expressions.
type List struct {
	texts       []string
	expressions []*regexp.Regexp
}

type entry struct {
	Pattern   string   `json:"pattern"`
	Instances []string `json:"instances"`
}

// Load returns the kept list.
func Load() (*List, error) {
	entries, err := entries()
	if err != nil {
		return nil, err
	}
	list := &List{}
	for _, e := range entries {
		expression, err := regexp.Compile(e.Pattern)
		if err != nil {
			return nil, fmt.Errorf("crawler-user-agents.json: %w", err)
		}
		if text, whole := expression.LiteralPrefix(); whole && !strings.HasPrefix(e.Pattern, "^") {
			list.texts = append(list.texts, text)
		} else {
			list.expressions = append(list.expressions, expression)
		}
	}
	return list, nil
}

func entries() ([]entry, error) {
	var entries []entry
	if err := json.Unmarshal(listJSON, &entries); err != nil {
		return nil, fmt.Errorf("crawler-user-agents.json: %w", err)
	}
	return entries, nil
}

// Has tells whether the user agent is one of a crawler.
func (l *List) Has(userAgent string) bool {
	if userAgent == "" {
		return false
	}
	for _, text := range l.texts {
		if strings.Contains(userAgent, text) {
			return true
		}
	}
	for _, expression := range l.expressions {
		if expression.MatchString(userAgent) {
			return true
		}
	}
	return false
}
