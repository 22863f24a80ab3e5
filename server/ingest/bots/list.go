package bots

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

//go:embed crawler-user-agents.json
var listJSON []byte

// Kind is what a user agent is of.
type Kind int

const (
	// Person is a browser, or whatever is not known.
	Person Kind = iota
	// Robot is a crawler, a monitor or a browser that is driven by a program.
	Robot
	// Library is a library or a tool that programs make requests with.
	Library
)

// List is a set of patterns of user agents. It is safe for use by several goroutines.
//
// Nearly all of the kept patterns are plain text once their escapes are undone,
// and searching for each of those in turn is ten times faster than one regular
// expression that is the alternation of all. So only what is left is matched as
// expressions.
type List struct {
	// exact look at the user agent as it is, lower at it in lower case.
	exact, lower []pattern
}

type pattern struct {
	text       string
	expression *regexp.Regexp // nil where text is all of it
	kind       Kind
}

func (p *pattern) matches(userAgent string) bool {
	if p.expression == nil {
		return strings.Contains(userAgent, p.text)
	}
	return p.expression.MatchString(userAgent)
}

type entry struct {
	Pattern   string   `json:"pattern"`
	Tags      []string `json:"tags"`
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
		kind := Robot
		if slices.Contains(e.Tags, "http-library") {
			kind = Library
		}
		p, err := newPattern(e.Pattern, kind)
		if err != nil {
			return nil, fmt.Errorf("crawler-user-agents.json: %w", err)
		}
		list.exact = append(list.exact, p)
	}
	// Libraries first: what they are called may have a robot's words in it.
	for _, more := range []struct {
		kind     Kind
		patterns []string
	}{{Library, libraries}, {Robot, monitors}, {Robot, crawlers}} {
		for _, text := range more.patterns {
			p, err := newPattern(text, more.kind)
			if err != nil {
				return nil, fmt.Errorf("additions to the list: %w", err)
			}
			list.lower = append(list.lower, p)
		}
	}
	return list, nil
}

func newPattern(text string, kind Kind) (pattern, error) {
	expression, err := regexp.Compile(text)
	if err != nil {
		return pattern{}, err
	}
	if literal, whole := expression.LiteralPrefix(); whole && !strings.HasPrefix(text, "^") {
		return pattern{text: literal, kind: kind}, nil
	}
	return pattern{expression: expression, kind: kind}, nil
}

// entries returns the entries of the list that no browser of people has.
func entries() ([]entry, error) {
	var entries []entry
	if err := json.Unmarshal(listJSON, &entries); err != nil {
		return nil, fmt.Errorf("crawler-user-agents.json: %w", err)
	}
	return slices.DeleteFunc(entries, func(e entry) bool { return people[e.Pattern] }), nil
}

// Kind tells what the user agent is of. An empty one, or "-", as logs write it, is a
// Robot's: every browser has one.
func (l *List) Kind(userAgent string) Kind {
	if userAgent == "" || userAgent == "-" {
		return Robot
	}
	for i := range l.exact {
		if l.exact[i].matches(userAgent) {
			return l.exact[i].kind
		}
	}
	userAgent = strings.ToLower(userAgent)
	for i := range l.lower {
		if l.lower[i].matches(userAgent) {
			return l.lower[i].kind
		}
	}
	return Person
}
