package filter

import (
	"maps"
	"slices"

	"github.com/goalgraph/goalgraph/model"
	"github.com/goalgraph/goalgraph/model/dimension"
)

// Field names what a leaf looks at in a session: a dimension by its name, with a key where
// that is keyed: a property's, or the name of the event whose values are summed.
type Field struct{ Name, Key string }

// Text fields of one value. The empty string stands for none.
var (
	IP          = Field{Name: "ip"}
	Country     = Field{Name: "country"}
	Region      = Field{Name: "region"}
	City        = Field{Name: "city"}
	Referrer    = Field{Name: "referrer"}
	EntryPage   = Field{Name: "entryPage"}
	Hostname    = Field{Name: "hostname"}
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
	// Start and End are the times of the first and of the last hit, in milliseconds since 1970 (UTC).
	Start = Field{Name: "start"}
	End   = Field{Name: "end"}
)

// Text fields of one value, which every session has: what a clock shows when it starts. Without a key, the clock is in the
// time zone of the session's site; InZone gives it its key, the zone's name. Predicates that it is missing in are those of
// UTC.
var (
	// Hour is 0 to 23.
	Hour = Field{Name: "hour"}
	// Weekday is MONDAY to SUNDAY.
	Weekday = Field{Name: "weekday"}
)

// Values of VisitorKind.
const (
	NewVisitor       = dimension.NewVisitor
	ReturningVisitor = dimension.ReturningVisitor
)

// Property is the text field of a session's custom property.
func Property(key string) Field { return Field{Name: "property", Key: key} }

// PropertyKeys stands for the keys of a session's custom properties, where values of fields are listed. No predicate looks
// at it.
var PropertyKeys = Field{Name: "property"}

// EventValue is the number field of the sum of one event's values in the session. A
// session in which no such event had a value has no number.
func EventValue(event string) Field { return Field{Name: "value", Key: event} }

// Kind says which leaves can look at a field.
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

// Kind returns the field's kind, Unknown where there is no such field.
func (f Field) Kind() Kind {
	d := dimension.Named(f.Name)
	switch {
	case d == nil:
		return Unknown
	case d.Kind == dimension.Clock:
		if _, err := model.Zone(f.Key); err != nil {
			return Unknown
		}
		return One
	case d.Keyed() != (f.Key != ""):
		return Unknown
	}
	switch d.Kind {
	case dimension.Text, dimension.KeyedText:
		return One
	case dimension.Texts:
		return Many
	default:
		return Number
	}
}

// Partial reports whether some sessions may have no number in the number field.
func (f Field) Partial() bool {
	d := dimension.Named(f.Name)
	return d != nil && d.Kind == dimension.KeyedNumber
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

// Texts returns the values that the session has in a text field, or in PropertyKeys: at
// most one for a field of kind One.
func (f Field) Texts(s *model.Session) []string {
	d := dimension.Named(f.Name)
	switch {
	case f == PropertyKeys:
		return slices.Sorted(maps.Keys(d.KeyedTexts(s)))
	case d != nil && d.Kind == dimension.Texts:
		return d.Texts(s)
	}
	if value := f.Text(s); value != "" {
		return []string{value}
	}
	return nil
}

// Text returns the session's value in a text field of kind One, empty for none.
func (f Field) Text(s *model.Session) string {
	switch d := dimension.Named(f.Name); {
	case d == nil:
	case d.Kind == dimension.Text:
		return d.Text(s)
	case d.Kind == dimension.KeyedText:
		return d.KeyedTexts(s)[f.Key]
	case d.Kind == dimension.Clock:
		if zone, err := model.Zone(f.Key); err == nil {
			return d.Shown(s.Start.Time().In(zone))
		}
	}
	return ""
}

// Clock returns the values of a field about a clock, and what tells the place among them of a session that starts at an
// instant; that is not for concurrent use. ok is false for all other fields.
func (f Field) Clock() (values []string, place func(start model.Millis) int, ok bool) {
	d := dimension.Named(f.Name)
	if d == nil || d.Kind != dimension.Clock {
		return nil, nil, false
	}
	zone, err := model.Zone(f.Key)
	if err != nil {
		return nil, nil, false
	}
	return d.Values, d.Place(zone), true
}

// IsOfSite tells whether the field is about a clock in the time zone of the session's site.
func (f Field) IsOfSite() bool {
	d := dimension.Named(f.Name)
	return d != nil && d.Kind == dimension.Clock && f.Key == ""
}

// In returns the field, in a time zone if it is one of the site's.
func (f Field) In(zone string) Field {
	if f.IsOfSite() {
		f.Key = zone
	}
	return f
}

// Number returns the session's number in a number field, of a sum the nearest double; ok
// is false where it has none.
func (f Field) Number(s *model.Session) (n float64, ok bool) {
	switch d := dimension.Named(f.Name); {
	case d == nil:
	case d.Kind == dimension.Number:
		return float64(d.Number(s)), true
	case d.Kind == dimension.KeyedNumber:
		sum, ok := d.Of(s, f.Key)
		return sum.Float64(), ok
	}
	return 0, false
}

// has reports whether the session has the value in the text field; "" stands for none.
func (f Field) has(s *model.Session, value string) bool {
	switch d := dimension.Named(f.Name); {
	case d == nil:
		return value == ""
	case d.Kind == dimension.Text:
		return d.Text(s) == value
	}
	texts := f.Texts(s)
	if value == "" {
		return len(texts) == 0
	}
	return slices.Contains(texts, value)
}

// Uses reports whether a leaf of the predicate looks at the field.
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

// IsOfSite tells whether a leaf of the predicate is about a clock in the time zone of the session's site.
func IsOfSite(e Expr) (is bool) {
	EachLeaf(e, func(leaf Expr) {
		switch leaf := leaf.(type) {
		case In:
			is = is || leaf.Field.IsOfSite()
		case Glob:
			is = is || leaf.Field.IsOfSite()
		}
	})
	return is
}

// InZone returns the predicate, simplified, with the clocks of the site in its time zone. What matches then follows from the
// session alone.
func InZone(e Expr, zone string) Expr { return Simplify(inZone(e, zone)) }

func inZone(e Expr, zone string) Expr {
	switch e := e.(type) {
	case And:
		return And(allInZone(e, zone))
	case Or:
		return Or(allInZone(e, zone))
	case Not:
		return Not{inZone(e.Expr, zone)}
	case In:
		return In{e.Field.In(zone), e.Values}
	case Glob:
		return Glob{e.Field.In(zone), e.Pattern}
	}
	return e
}

func allInZone(parts []Expr, zone string) []Expr {
	all := make([]Expr, len(parts))
	for i, part := range parts {
		all[i] = inZone(part, zone)
	}
	return all
}

// EachLeaf calls do with each part of the predicate that is no And, Or or Not, from left to
// right.
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
