package ingest

import (
	"crypto/sha256"
	"encoding/hex"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/goalgraph/goalgraph/model"
)

// LogLine is one line of an access log in the combined format of Apache and
// nginx:
//
//	address identity user [time] "request" status bytes "referrer" "user agent"
//
// with the escapes of its quoted fields undone.
type LogLine struct {
	// Address is the client's IP address or host name, as it stands in the log.
	Address string
	At      model.Millis
	// Method is empty where the request is no HTTP request; clients send all
	// kinds of bytes to a port, and servers log them.
	Method string
	// Target is a path with its query, or an absolute URL.
	Target    string
	Status    int
	Referrer  string
	UserAgent string
	// Ended is false where the line ends within the user agent. Some servers cut
	// long lines; the rest of such a line is as good as any.
	Ended bool
}

// ParseCombined reads one line, without its line break. What follows the user
// agent is allowed and left out. An error is a *model.Error, and says what the
// line lacks.
func ParseCombined(line string) (LogLine, error) {
	var l LogLine
	address, rest, ok := strings.Cut(strings.TrimLeft(line, " \t"), " ")
	if !ok {
		return l, malformed("it has no fields")
	}
	l.Address = address
	rest, err := l.readTime(rest)
	if err != nil {
		return l, err
	}
	request, rest, ended, ok := quoted(rest)
	if !ok || !ended {
		return l, malformed("no quoted request follows the time")
	}
	l.readRequest(request)
	status, rest, _ := strings.Cut(strings.TrimLeft(rest, " "), " ")
	if l.Status, ok = parseStatus(status); !ok {
		return l, malformed("no status code follows the request")
	}
	size, rest, _ := strings.Cut(rest, " ")
	if !isSize(size) {
		return l, malformed("no size in bytes follows the status code")
	}
	if l.Referrer, rest, ended, ok = quoted(rest); !ok || !ended {
		return l, malformed("no quoted referrer follows the size")
	}
	if l.UserAgent, _, l.Ended, ok = quoted(rest); !ok {
		return l, malformed("no quoted user agent follows the referrer")
	}
	return l, nil
}

func malformed(reason string) error {
	return model.Errorf(model.BadInput, "not the combined log format: %s", reason)
}

// readTime skips the identity and the user, who may have spaces and brackets in
// his name, and reads the time.
func (l *LogLine) readTime(s string) (rest string, err error) {
	for {
		open := strings.IndexByte(s, '[')
		if open < 0 {
			return "", malformed("no [time] follows the address")
		}
		s = s[open+1:]
		if t, ok := parseLogTime(s); ok {
			l.At, err = checkTime("time", t)
			return s[logTimeLength+1:], err
		}
	}
}

const logTimeLength = len("02/Jan/2006:15:04:05 -0700")

// parseLogTime reads "02/Jan/2006:15:04:05 -0700]". It does by hand what
// time.Parse does too, in a tenth of the time.
func parseLogTime(s string) (time.Time, bool) {
	if len(s) <= logTimeLength || s[2] != '/' || s[6] != '/' || s[11] != ':' || s[14] != ':' || s[17] != ':' || s[20] != ' ' || s[logTimeLength] != ']' {
		return time.Time{}, false
	}
	day, ok1 := digits(s[0:2])
	year, ok2 := digits(s[7:11])
	hour, ok3 := digits(s[12:14])
	minute, ok4 := digits(s[15:17])
	second, ok5 := digits(s[18:20])
	zoneHours, ok6 := digits(s[22:24])
	zoneMinutes, ok7 := digits(s[24:26])
	month := monthNumber(s[3:6])
	if !(ok1 && ok2 && ok3 && ok4 && ok5 && ok6 && ok7) || month == 0 {
		return time.Time{}, false
	}
	// A second numbered 60 is a leap second; it becomes the one after.
	if hour > 23 || minute > 59 || second > 60 || zoneHours > 23 || zoneMinutes > 59 {
		return time.Time{}, false
	}
	offset := time.Duration(zoneHours)*time.Hour + time.Duration(zoneMinutes)*time.Minute
	switch s[21] {
	case '+':
	case '-':
		offset = -offset
	default:
		return time.Time{}, false
	}
	date := time.Date(year, month, day, 0, 0, 0, 0, time.UTC)
	if date.Day() != day {
		return time.Time{}, false
	}
	clock := time.Duration(hour)*time.Hour + time.Duration(minute)*time.Minute + time.Duration(second)*time.Second
	return date.Add(clock - offset), true
}

func digits(s string) (n int, ok bool) {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return 0, false
		}
		n = n*10 + int(s[i]-'0')
	}
	return n, true
}

func monthNumber(s string) time.Month {
	const names = "JanFebMarAprMayJunJulAugSepOctNovDec"
	at := strings.Index(names, s)
	if at < 0 || at%3 != 0 {
		return 0
	}
	return time.Month(at/3 + 1)
}

// quoted reads a field in double quotes at the start of s, and undoes its
// escapes. Where the closing quote is missing, the field is the rest of s.
func quoted(s string) (field, rest string, ended, ok bool) {
	s = strings.TrimLeft(s, " ")
	if s == "" || s[0] != '"' {
		return "", "", false, false
	}
	s = s[1:]
	escaped := false
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '\\':
			escaped = true
			i++
		case '"':
			field, rest, ended = s[:i], s[i+1:], true
		}
		if ended {
			break
		}
	}
	if !ended {
		field = s
	}
	if escaped {
		field = unescape(field)
	}
	return field, rest, ended, true
}

// unescape undoes \", \\, the letters of C, and \xHH for a byte: what Apache and
// nginx write for quotes and for what is not printable ASCII.
func unescape(s string) string {
	out := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		if s[i] != '\\' || i+1 == len(s) {
			out = append(out, s[i])
			continue
		}
		i++
		switch s[i] {
		case 'n':
			out = append(out, '\n')
		case 't':
			out = append(out, '\t')
		case 'r':
			out = append(out, '\r')
		case 'b':
			out = append(out, '\b')
		case 'v':
			out = append(out, '\v')
		case 'x':
			if i+2 < len(s) {
				if b, err := strconv.ParseUint(s[i+1:i+3], 16, 8); err == nil {
					out = append(out, byte(b))
					i += 2
					continue
				}
			}
			out = append(out, `\x`...)
		default:
			out = append(out, s[i])
		}
	}
	return string(out)
}

func (l *LogLine) readRequest(request string) {
	method, target, ok := strings.Cut(request, " ")
	if !ok {
		return
	}
	// A target may have spaces where a client did not escape them; the protocol,
	// which HTTP/0.9 does not send, comes after the last one.
	if at := strings.LastIndexByte(target, ' '); at >= 0 && strings.HasPrefix(target[at+1:], "HTTP/") {
		target = target[:at]
	}
	l.Method, l.Target = method, target
}

func parseStatus(s string) (int, bool) {
	status, ok := digits(s)
	return status, ok && len(s) == 3
}

func isSize(s string) bool {
	if s == "-" {
		return true
	}
	_, ok := digits(s)
	return ok && s != ""
}

// assets are the endings of what a page is made of, rather than of a page.
var assets = []string{
	"png", "jpg", "jpeg", "gif", "ico", "css", "js", "svg", "woff", "woff2", "ttf", "eot", "map", "bmp", "webp",
}

// PageView returns the path of the page that the line tells of, without the
// query, or false where it tells of something else: a page view is a GET answered
// 200 or 304 of a path that has none of the extensions of images, styles, scripts
// and fonts.
func (l *LogLine) PageView() (path string, ok bool) {
	if l.Method != "GET" || (l.Status != 200 && l.Status != 304) {
		return "", false
	}
	if strings.HasPrefix(l.Target, "/") {
		// Not pathOf: here "//host" is a path.
		path, _, _ = strings.Cut(l.Target, "?")
	} else if path, ok = pathOf(l.Target); !ok {
		return "", false
	}
	if dot := strings.LastIndexByte(path, '.'); dot >= 0 {
		for _, asset := range assets {
			if strings.EqualFold(path[dot+1:], asset) {
				return "", false
			}
		}
	}
	return path, true
}

// hostname returns the virtual host where the line names it, as lines of proxies do:
// their targets are absolute URLs.
func (l *LogLine) hostname() string {
	if strings.HasPrefix(l.Target, "/") {
		return "" // "//host" is a path here
	}
	return hostOf(l.Target)
}

// visitor returns the key by which a log's visitors are told apart: 128 bits in
// hexadecimal of the SHA-256 of address NUL user agent. It is a hash so that the
// address does not stand in the visitor's name as well, where removing addresses
// would miss it.
func (l *LogLine) visitor(address string) string {
	text := make([]byte, 0, 512)
	text = append(text, address...)
	text = append(text, 0)
	text = append(text, l.UserAgent...)
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:16])
}

// Bot tells whether the line's user agent is one of a crawler.
func (d *Decoder) Bot(l *LogLine) bool { return d.agents.Agent(l.UserAgent).Bot }

// PageView makes a message of a line that is a view of the page at path. The id
// is that which Lines gave the line.
func (d *Decoder) PageView(id model.MessageID, l *LogLine, path string) model.Message {
	agent := d.agents.Agent(l.UserAgent)
	origin := model.Origin{
		Referrer:  hostOf(l.Referrer),
		EntryPage: model.Path(path),
		Hostname:  l.hostname(),
		Browser:   agent.Browser,
		OS:        agent.OS,
		Device:    agent.Device,
		UTM:       utmOf(l.Target),
	}
	client := l.Address
	if address, ok := parseAddress(l.Address); ok {
		d.locate(&origin, address)
		client = origin.IP
	}
	return model.Message{
		AnonymousID: l.visitor(client),
		Hit: model.Hit{
			ID:     id,
			At:     l.At,
			Kind:   model.PageView,
			Name:   origin.EntryPage,
			Origin: origin,
		},
	}
}

// utmOf returns the campaign that the query of a request names. Of a parameter
// that is repeated the first counts, and one that is broken is left out.
func utmOf(target string) model.UTM {
	var utm model.UTM
	_, query, _ := strings.Cut(target, "?")
	if !strings.Contains(query, "utm_") {
		return utm
	}
	query, _, _ = strings.Cut(query, "#")
	for query != "" {
		var pair string
		pair, query, _ = strings.Cut(query, "&")
		name, value, _ := strings.Cut(pair, "=")
		field := utmField(&utm, name)
		if field == nil || *field != "" {
			continue
		}
		if value, err := url.QueryUnescape(value); err == nil {
			*field = clean(value)
		}
	}
	return utm
}

func utmField(utm *model.UTM, name string) *string {
	switch name {
	case "utm_source":
		return &utm.Source
	case "utm_medium":
		return &utm.Medium
	case "utm_campaign":
		return &utm.Campaign
	case "utm_term":
		return &utm.Term
	case "utm_content":
		return &utm.Content
	}
	return nil
}
