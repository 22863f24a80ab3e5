package filter

import (
	"slices"

	"github.com/goalgraph/goalgraph/model"
)

// Field names what a leaf looks at in a session. Key is set for the fields that
// are a family: a property's key, or the event whose values are summed.
type Field struct{ Name, Key string }

// Text fields of one value. The empty string stands for none.
var (
	IP          = Field{Name: "ip"}
	Country     = Field{Name: "country"}
	Referrer    = Field{Name: "referrer"}
	EntryPage   = Field{Name: "entryPage"}
	ExitPage    = Field{Name: "exitPage"}
	Browser     = Field{Name: "browser"}
	OS          = Field{Name: "os"}
	Device      = Field{Name: "device"}
	Language    = Field{Name: "language"}
	UTMSource   = Field{Name: "utmSource"}
	UTMMedium   = Field{Name: "utmMedium"}
	UTMCampaign = Field{Name: "utmCampaign"}
	UTMTerm     = Field{Name: "utmTerm"}
	UTMContent  = Field{Name: "utmContent"}
	// Visitor is the visitor's key.
	Visitor = Field{Name: "visitor"}
	// VisitorKind is NEW in a visitor's first session and RETURNING in all others.
	VisitorKind = Field{Name: "visitorKind"}
)

// Text fields of any number of values.
var (
	Tags   = Field{Name: "tags"}
	Pages  = Field{Name: "pages"}
	Events = Field{Name: "events"}
)

// Number fields.
var (
	// Length is the time from the first to the last hit, in milliseconds.
	Length = Field{Name: "length"}
	// PageViews counts page views, repeated ones too.
	PageViews = Field{Name: "pageViews"}
	// Start is the time of the first hit, in milliseconds since 1970 (UTC).
	Start = Field{Name: "start"}
)

// Values of VisitorKind.
const (
	NewVisitor       = "NEW"
	ReturningVisitor = "RETURNING"
)

// Property is the text field of a session's custom property.
func Property(key string) Field { return Field{Name: "property", Key: key} }

// EventValue is the number field of the sum of one event's values in the
// session. Sessions in which no such event had a value have no number.
func EventValue(event string) Field { return Field{Name: "value", Key: event} }

// Kind says which leaves a field goes with.
type Kind int

const (
	// Unknown is the kind of a field that does not exist.
	Unknown Kind = iota
	// One is a text field of at most one value: In, Glob, and Within for IP.
	One
	// Many is a text field of any number of values: In and Glob.
	Many
	// Number is a number field: Range.
	Number
)

var (
	singles = map[string]func(*model.Session) string{
		"ip":          func(s *model.Session) string { return s.IP },
		"country":     func(s *model.Session) string { return s.Country },
		"referrer":    func(s *model.Session) string { return s.Referrer },
		"entryPage":   func(s *model.Session) string { return s.EntryPage },
		"exitPage":    func(s *model.Session) string { return s.ExitPage },
		"browser":     func(s *model.Session) string { return s.Browser },
		"os":          func(s *model.Session) string { return s.OS },
		"device":      func(s *model.Session) string { return string(s.Device) },
		"language":    func(s *model.Session) string { return s.Language },
		"utmSource":   func(s *model.Session) string { return s.UTM.Source },
		"utmMedium":   func(s *model.Session) string { return s.UTM.Medium },
		"utmCampaign": func(s *model.Session) string { return s.UTM.Campaign },
		"utmTerm":     func(s *model.Session) string { return s.UTM.Term },
		"utmContent":  func(s *model.Session) string { return s.UTM.Content },
		"visitor":     func(s *model.Session) string { return s.VisitorKey },
		"visitorKind": func(s *model.Session) string {
			if s.First {
				return NewVisitor
			}
			return ReturningVisitor
		},
	}
	numbers = map[string]func(*model.Session) float64{
		"length":    func(s *model.Session) float64 { return float64(s.Length()) },
		"pageViews": func(s *model.Session) float64 { return float64(s.PageViews) },
		"start":     func(s *model.Session) float64 { return float64(s.Start) },
	}
)

// Kind returns the field's kind, Unknown where there is no such field.
func (f Field) Kind() Kind {
	keyed := f.Name == "property" || f.Name == "value"
	if keyed != (f.Key != "") {
		return Unknown
	}
	switch f.Name {
	case "property":
		return One
	case "tags", "pages", "events":
		return Many
	case "value":
		return Number
	}
	if singles[f.Name] != nil {
		return One
	}
	if numbers[f.Name] != nil {
		return Number
	}
	return Unknown
}

// String returns the field as the text form writes it.
func (f Field) String() string { return string(f.append(nil)) }

func (f Field) append(b []byte) []byte {
	b = append(b, f.Name...)
	if f.Key != "" {
		b = append(appendText(append(b, '['), f.Key), ']')
	}
	return b
}

// Texts returns the values that the session has in a text field: at most one for
// a field of kind One.
func (f Field) Texts(s *model.Session) []string {
	switch f.Name {
	case "tags":
		return s.Tags
	case "pages":
		return s.Pages
	case "events":
		names := make([]string, len(s.Events))
		for i, event := range s.Events {
			names[i] = event.Name
		}
		return names
	}
	if value := f.Text(s); value != "" {
		return []string{value}
	}
	return nil
}

// Text returns the session's value in a text field of kind One, empty for none.
func (f Field) Text(s *model.Session) string { return f.TextOf()(s) }

// TextOf returns Text as a function, for one who asks many sessions.
func (f Field) TextOf() func(*model.Session) string {
	if f.Name == "property" {
		return func(s *model.Session) string { return s.Properties[f.Key] }
	}
	if get := singles[f.Name]; get != nil {
		return get
	}
	return func(*model.Session) string { return "" }
}

// Number returns the session's number in a number field; ok is false where it
// has none.
func (f Field) Number(s *model.Session) (n float64, ok bool) {
	if f.Name == "value" {
		event, _ := s.Event(f.Key)
		return event.Sum, event.Values > 0
	}
	get := numbers[f.Name]
	if get == nil {
		return 0, false
	}
	return get(s), true
}

// has tells whether the session has value in the text field, "" for none.
func (f Field) has(s *model.Session, value string) bool {
	if get := singles[f.Name]; get != nil {
		return get(s) == value
	}
	texts := f.Texts(s)
	if value == "" {
		return len(texts) == 0
	}
	return slices.Contains(texts, value)
}

// Uses tells whether a leaf of the predicate looks at the field.
func Uses(e Expr, field Field) bool { return slices.Contains(Fields(e), field) }

// Fields returns the fields that leaves of the predicate look at, each once.
func Fields(e Expr) []Field {
	var fields []Field
	add := func(field Field) {
		if !slices.Contains(fields, field) {
			fields = append(fields, field)
		}
	}
	EachLeaf(e, func(leaf Expr) {
		switch leaf := leaf.(type) {
		case In:
			add(leaf.Field)
		case Glob:
			add(leaf.Field)
		case Within:
			add(leaf.Field)
		case Range:
			add(leaf.Field)
		}
	})
	return fields
}

// Computations returns the keys of the computations that the predicate needs, each
// once.
func Computations(e Expr) []string {
	var keys []string
	EachLeaf(e, func(leaf Expr) {
		if computed, ok := leaf.(Computed); ok && !slices.Contains(keys, computed.Key) {
			keys = append(keys, computed.Key)
		}
	})
	return keys
}

// Experiments returns the keys of the experiments whose assignments the predicate
// needs, each once.
func Experiments(e Expr) []string {
	var keys []string
	EachLeaf(e, func(leaf Expr) {
		if assigned, ok := leaf.(Assigned); ok && !slices.Contains(keys, assigned.Experiment) {
			keys = append(keys, assigned.Experiment)
		}
	})
	return keys
}

// EachLeaf calls do with each part of the predicate that has no parts.
func EachLeaf(e Expr, do func(leaf Expr)) {
	switch e := e.(type) {
	case And:
		for _, part := range e {
			EachLeaf(part, do)
		}
	case Or:
		for _, part := range e {
			EachLeaf(part, do)
		}
	case Not:
		EachLeaf(e.Expr, do)
	default:
		do(e)
	}
}
