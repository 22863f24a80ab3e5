package dimension

import (
	"strconv"
	"strings"
	"time"

	"github.com/goalgraph/goalgraph/model"
)

// Values of the dimension visitorKind.
const (
	NewVisitor       = "NEW"
	ReturningVisitor = "RETURNING"
)

// Limits that several dimensions have in common, or that hold for hits.
const (
	PageLimit     = "page"
	TagLimit      = "tag"
	EventLimit    = "event"
	PropertyLimit = "property"
)

// all is the list.
var all = []*Dimension{
	// What a session takes from the first hits that know it.
	origin("ip", "ip", "", func(o *model.Origin) *string { return &o.IP }),
	origin("country", "country", "", func(o *model.Origin) *string { return &o.Country }),
	origin("region", "region", "region", func(o *model.Origin) *string { return &o.Region }),
	origin("city", "city", "city", func(o *model.Origin) *string { return &o.City }),
	origin("referrer", "referrer", "referrer", func(o *model.Origin) *string { return &o.Referrer }),
	origin("entryPage", "entry_page", PageLimit, func(o *model.Origin) *string { return &o.EntryPage }),
	origin("hostname", "hostname", "hostname", func(o *model.Origin) *string { return &o.Hostname }),
	origin("browser", "browser", "browser", func(o *model.Origin) *string { return &o.Browser }),
	origin("os", "os", "os", func(o *model.Origin) *string { return &o.OS }),
	origin("device", "device", "", func(o *model.Origin) *string { return (*string)(&o.Device) }, devices...),
	origin("language", "language", "language", func(o *model.Origin) *string { return &o.Language }),
	origin("utmSource", "utm_source", "utm_source", func(o *model.Origin) *string { return &o.UTM.Source }),
	origin("utmMedium", "utm_medium", "utm_medium", func(o *model.Origin) *string { return &o.UTM.Medium }),
	origin("utmCampaign", "utm_campaign", "utm_campaign", func(o *model.Origin) *string { return &o.UTM.Campaign }),
	origin("utmTerm", "utm_term", "utm_term", func(o *model.Origin) *string { return &o.UTM.Term }),
	origin("utmContent", "utm_content", "utm_content", func(o *model.Origin) *string { return &o.UTM.Content }),

	// What it is made of.
	{Name: "exitPage", Kind: Text, SQL: []string{"exit_page"}, Limit: PageLimit, Text: func(s *model.Session) string { return s.ExitPage }},
	// There are as many keys as visitors, and hardly anyone asks for one.
	{Name: "visitor", Kind: Text, SQL: []string{"visitor_id"}, Unindexed: true, Text: func(s *model.Session) string { return s.VisitorKey }},
	{Name: "visitorKind", Kind: Text, SQL: []string{"first_visit"}, Values: []string{NewVisitor, ReturningVisitor}, Text: visitorKind},
	{Name: "pages", Kind: Texts, SQL: []string{"pages"}, Limit: PageLimit, Texts: func(s *model.Session) []string { return s.Pages }},
	{Name: "tags", Kind: Texts, SQL: []string{"tags"}, Limit: TagLimit, Texts: func(s *model.Session) []string { return s.Tags }},
	{Name: "events", Kind: Texts, SQL: []string{"events"}, Limit: EventLimit, Texts: eventNames},
	{Name: "length", Kind: Number, SQL: []string{"started_at", "ended_at"}, Number: func(s *model.Session) int64 { return int64(s.Length()) }},
	{Name: "pageViews", Kind: Number, SQL: []string{"page_views"}, Number: func(s *model.Session) int64 { return int64(s.PageViews) }},
	{Name: "start", Kind: Number, SQL: []string{"started_at"}, Number: func(s *model.Session) int64 { return int64(s.Start) }},
	{Name: "end", Kind: Number, SQL: []string{"ended_at"}, Unindexed: true, From: []string{"start", "length"}, Number: func(s *model.Session) int64 { return int64(s.End) }},
	{Name: "hour", Kind: Clock, SQL: []string{"started_at"}, Unindexed: true, From: []string{"start"}, Values: hours,
		Shown: func(at time.Time) string { return strconv.Itoa(at.Hour()) }, Place: model.HourIn},
	{Name: "weekday", Kind: Clock, SQL: []string{"started_at"}, Unindexed: true, From: []string{"start"}, Values: weekdays,
		Shown: func(at time.Time) string { return strings.ToUpper(at.Weekday().String()) }, Place: model.WeekdayIn},
	{Name: "property", Kind: KeyedText, SQL: []string{"properties"}, Limit: PropertyLimit, KeyedTexts: func(s *model.Session) map[string]string { return s.Properties }},
	{Name: "value", Kind: KeyedNumber, SQL: []string{"events"}, Sums: func(s *model.Session) []model.EventSum { return s.Events }},
}

var named = func() map[string]*Dimension {
	byName := make(map[string]*Dimension, len(all))
	for _, d := range all {
		byName[d.Name] = d
	}
	return byName
}()

func origin(name, sql, limit string, at func(*model.Origin) *string, values ...string) *Dimension {
	return &Dimension{
		Name: name, Kind: Text, SQL: []string{sql}, Limit: limit, Values: values, Origin: at,
		Text: func(s *model.Session) string { return *at(&s.Origin) },
	}
}

var devices = []string{string(model.Desktop), string(model.Mobile), string(model.Tablet), string(model.OtherDevice)}

var (
	hours    = strings.Fields("0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23")
	weekdays = strings.Fields("MONDAY TUESDAY WEDNESDAY THURSDAY FRIDAY SATURDAY SUNDAY")
)

func visitorKind(s *model.Session) string {
	if s.First {
		return NewVisitor
	}
	return ReturningVisitor
}

func eventNames(s *model.Session) []string {
	if len(s.Events) == 0 {
		return nil
	}
	names := make([]string, len(s.Events))
	for i, event := range s.Events {
		names[i] = event.Name
	}
	return names
}
