package view

import (
	"time"

	"github.com/goalgraph/goalgraph/model"
)

// Session is a session as clients see it.
type Session struct {
	ID                                                          string
	VisitorID                                                   string
	StartedAt                                                   time.Time
	DurationSeconds                                             int
	Country, Referrer, EntryPage, ExitPage, Browser, OS, Device *string
	Tags, Pages, Events                                         []string
}

// SessionOf returns a session as clients see it, under the id that they know it by.
func SessionOf(id string, s *model.Session) Session {
	events := make([]string, len(s.Events))
	for i, event := range s.Events {
		events[i] = event.Name
	}
	return Session{
		ID: id, VisitorID: s.VisitorKey, StartedAt: s.Start.Time(), DurationSeconds: int(s.Length() / 1000),
		Country: optional(s.Country), Referrer: optional(s.Referrer), EntryPage: optional(s.EntryPage), ExitPage: optional(s.ExitPage),
		Browser: optional(s.Browser), OS: optional(s.OS), Device: optional(string(s.Device)),
		Tags: append([]string{}, s.Tags...), Pages: append([]string{}, s.Pages...), Events: events,
	}
}

// optional returns nil for the empty string, which stands for none.
func optional(text string) *string {
	if text == "" {
		return nil
	}
	return &text
}

// Event is an event name that has arrived.
type Event struct {
	Name                string
	Count               int
	FirstSeen, LastSeen time.Time
	HasValue            bool
}

// ValueCount is a value and how many sessions have it.
type ValueCount struct {
	Value    string
	Sessions int
}
