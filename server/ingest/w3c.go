package ingest

import (
	"net/url"
	"slices"
	"strings"
	"time"
)

// w3cLog reads the W3C extended log format, as IIS and CloudFront write it: lines of
// fields, which directives before them name.
//
//	#Fields: date time cs-method cs-uri-stem cs-uri-query c-ip cs(User-Agent) sc-status
//
// IIS separates fields by spaces, and writes + for a space in a field. CloudFront separates
// them by tabs, and writes %20. Times are in UTC.
type w3cLog struct {
	fields  int // of a line, by the last #Fields; 0 before it
	columns [w3cFields]int
	date    string // by the last #Date
}

type w3cField int

const (
	w3cDate w3cField = iota
	w3cTime
	w3cClient
	w3cForwarded
	w3cMethod
	w3cStem
	w3cQuery
	w3cStatus
	w3cReferrer
	w3cAgent
	w3cHost
	w3cFields // how many there are
)

// w3cNames are the names of the fields, in lower case. Of several the first counts.
var w3cNames = [w3cFields][]string{
	w3cDate:      {"date"},
	w3cTime:      {"time"},
	w3cClient:    {"c-ip"},
	w3cForwarded: {"x-forwarded-for", "cs(x-forwarded-for)"},
	w3cMethod:    {"cs-method"},
	w3cStem:      {"cs-uri-stem", "cs-uri"},
	w3cQuery:     {"cs-uri-query"},
	w3cStatus:    {"sc-status"},
	w3cReferrer:  {"cs(referer)", "cs(referrer)"},
	w3cAgent:     {"cs(user-agent)"},
	w3cHost:      {"x-host-header", "cs-host", "cs(host)"},
}

func newW3CParser() parseLine { return (&w3cLog{}).parse }

func (w *w3cLog) parse(line string) (l LogLine, err error) {
	if strings.HasPrefix(line, "#") {
		w.readDirective(line[1:])
		return l, errNoRequest
	}
	if w.fields == 0 {
		return l, malformed("no #Fields line goes before it")
	}
	separator := " "
	if strings.IndexByte(line, '\t') >= 0 {
		separator = "\t"
	}
	fields := strings.Split(line, separator)
	if len(fields) > w.fields {
		return l, malformed("it has more fields than the #Fields line before it names")
	}
	l.Cut = len(fields) < w.fields
	field := func(f w3cField) string {
		if at := w.columns[f]; at >= 0 && at < len(fields) && fields[at] != "-" {
			return fields[at]
		}
		return ""
	}
	date := field(w3cDate)
	if w.columns[w3cDate] < 0 {
		date = w.date
	}
	t, err := time.Parse(time.DateTime, date+" "+field(w3cTime))
	if err != nil {
		return l, malformed("it has no date and time")
	}
	if l.At, err = checkTime("time", t); err != nil {
		return l, err
	}
	if !l.readStatus(field(w3cStatus)) {
		return l, malformed("it has no status (sc-status)")
	}
	l.Method, l.Target = field(w3cMethod), withQuery(field(w3cStem), field(w3cQuery))
	if w.columns[w3cMethod] < 0 || w.columns[w3cStem] < 0 {
		return l, malformed("it has no request (cs-method and cs-uri-stem)")
	}
	if len(fields) <= w.columns[w3cAgent] {
		return l, malformed("it ends before the user agent")
	}
	forwarded := unescapeW3C(field(w3cForwarded), separator)
	client, ok := clientAddress(field(w3cClient))
	if !ok && forwarded == "" {
		return l, malformed("it has no address of a client (c-ip)")
	}
	l.Address = clientBehind(client, forwarded)
	l.Host = field(w3cHost)
	l.Referrer = unescapeW3C(field(w3cReferrer), separator)
	l.UserAgent, l.NoAgent = unescapeW3C(field(w3cAgent), separator), w.columns[w3cAgent] < 0
	return l, nil
}

func (w *w3cLog) readDirective(directive string) {
	name, text, _ := strings.Cut(directive, ":")
	switch strings.ToLower(strings.TrimSpace(name)) {
	case "fields":
		names := strings.Fields(strings.ToLower(text))
		w.fields = len(names)
		for field, known := range w3cNames {
			w.columns[field] = -1
			for _, name := range known {
				if at := slices.Index(names, name); at >= 0 {
					w.columns[field] = at
					break
				}
			}
		}
	case "date":
		w.date, _, _ = strings.Cut(strings.TrimSpace(text), " ")
	}
}

// unescapeW3C undoes what keeps a field free of separators. CloudFront escapes the % of its
// own escapes once more in some fields.
func unescapeW3C(field, separator string) string {
	if separator == " " {
		return strings.ReplaceAll(field, "+", " ")
	}
	for range 2 {
		text, err := url.PathUnescape(field)
		if err != nil || text == field {
			break
		}
		field = text
	}
	return field
}
