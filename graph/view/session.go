package view

import (
	"time"

	"github.com/goalgraph/goalgraph/model"
	"github.com/goalgraph/goalgraph/model/filter"
)

// Session is a session as clients see it.
type Session struct {
	ID                                                     string
	VisitorID                                              string
	VisitorKind                                            VisitorStatus
	Key                                                    *string
	StartedAt, EndedAt                                     time.Time
	DurationSeconds, PageViews                             int
	Truncated                                              bool
	IP, Country, Region, City                              *string
	Referrer, EntryPage, Hostname, ExitPage                *string
	Browser, OS, Language                                  *string
	Device                                                 *model.Device
	UTMSource, UTMMedium, UTMCampaign, UTMTerm, UTMContent *string
	Tags, Pages, Events                                    []string
	EventCounts                                            []EventCount
	Values                                                 []SessionValue
	Properties                                             []SessionProperty
	// Kept is the session that this shows.
	Kept *model.Session
}

// EventCount is how often an event happened in a session.
type EventCount struct {
	Event string
	Count int
}

// SessionValue is the sum of the values of one event in a session.
type SessionValue struct {
	Event string
	Count int
	Sum   float64
}

// SessionProperty is a custom property of a session.
type SessionProperty struct{ Key, Value string }

// SessionOf returns a session as clients see it, under the id that they know it by.
func SessionOf(id string, s *model.Session) Session {
	session := Session{
		ID: id, Kept: s, VisitorID: s.VisitorKey, VisitorKind: VisitorStatus(filter.VisitorKind.Text(s)), Key: optional(s.Key),
		StartedAt: s.Start.Time(), EndedAt: s.End.Time(), DurationSeconds: int(s.Length() / 1000), PageViews: s.PageViews, Truncated: s.IsTruncated(),
		IP: optional(s.IP), Country: optional(s.Country), Region: optional(s.Region), City: optional(s.City),
		Referrer: optional(s.Referrer), EntryPage: optional(s.EntryPage), Hostname: optional(s.Hostname), ExitPage: optional(s.ExitPage),
		Browser: optional(s.Browser), OS: optional(s.OS), Device: optional(s.Device), Language: optional(s.Language),
		UTMSource: optional(s.UTM.Source), UTMMedium: optional(s.UTM.Medium), UTMCampaign: optional(s.UTM.Campaign),
		UTMTerm: optional(s.UTM.Term), UTMContent: optional(s.UTM.Content),
		Tags: append([]string{}, s.Tags...), Pages: append([]string{}, s.Pages...), Events: []string{},
		Properties: propertiesOf(s.Properties),
	}
	for _, event := range s.Events {
		session.Events = append(session.Events, event.Name)
		session.EventCounts = append(session.EventCounts, EventCount{event.Name, event.Count})
		if event.Values > 0 {
			session.Values = append(session.Values, SessionValue{event.Name, event.Values, event.Sum.Float64()})
		}
	}
	return session
}

// VisitorStatus tells whether a visitor has been here before.
type VisitorStatus string

// optional returns nil for the empty string, which stands for none.
func optional[T ~string](text T) *T {
	if text == "" {
		return nil
	}
	return &text
}

// Event is an event name that has arrived.
type Event struct {
	Site                int64
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
