package ingest

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"net/url"
	"strings"

	"github.com/goalgraph/goalgraph/model"
)

// LogLine is a request as a line of an access log tells of it, whatever the log's format.
// Fields are as the client sent them: without quotes, and with the log's own escapes
// undone. A field that the line does not have is empty.
type LogLine struct {
	// Host is the host that the request was for, as a field of its own names it. It may
	// have a port.
	Host string
	// Address is the client's IP address or host name.
	Address string
	At      model.Millis
	// Method is empty where the request is no HTTP request; clients send all
	// kinds of bytes to a port, and servers log them.
	Method string
	// Target is a path with its query, or an absolute URL.
	Target   string
	Status   int
	Referrer string
	// UserAgent is "-" or empty where the client sent none. NoAgent tells that the line
	// has no field for it, which says nothing about the client.
	UserAgent string
	NoAgent   bool
	// Cut tells that the line ends within its last field. Some servers cut long lines;
	// the rest of such a line is as good as any.
	Cut bool
}

// parseLine reads a line, without its line break, of one format. An error is a *model.Error
// that says what the line lacks, or errNoRequest. Some formats need the lines in their
// order, so each file has a parseLine of its own.
type parseLine func(line string) (LogLine, error)

// errNoRequest is of a well-formed line that tells of no request.
var errNoRequest = errors.New("the line tells of no request")

// malformed is why a line is none of its format. Unlike a field that is refused, which the
// error then names, it may mean that the file has another format.
func malformed(reason string) error { return model.Errorf(model.BadInput, "%s", reason) }

// isUnreadable tells whether err means that a line is none of its format.
func isUnreadable(err error) bool {
	e, ok := errors.AsType[*model.Error](err)
	return !ok || e.Field == ""
}

// readRequest reads a request line: "GET /path?query HTTP/1.1".
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

func (l *LogLine) readStatus(s string) bool {
	status, ok := digits(s)
	if !ok || len(s) != 3 {
		return false
	}
	l.Status = status
	return true
}

// PageView returns the path of the page that the line tells of, without the
// query, or false where it tells of something else: a page view is a GET answered
// 200 or 304 of a path that isPage.
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
	if !isPage(path) {
		return "", false
	}
	return path, true
}

// isPage tells a page from what pages are made of, from what programs fetch, and from
// /robots.txt, by the ending of its path in any case.
func isPage(path string) bool {
	dot := strings.LastIndexByte(path, '.')
	if dot < 0 {
		return true
	}
	switch strings.ToLower(path[dot+1:]) {
	case "png", "jpg", "jpeg", "gif", "ico", "svg", "svgz", "bmp", "webp", "avif",
		"css", "js", "mjs", "map", "woff", "woff2", "ttf", "otf", "eot",
		"xml", "json", "rss", "atom", "webmanifest":
		return false
	case "txt":
		return !strings.EqualFold(path, "/robots.txt")
	}
	return true
}

// hostname returns the host where the line names it: in a field of its own, or in its
// target, as lines of proxies do.
func (l *LogLine) hostname() string {
	if host := l.host(); host != "" {
		return host
	}
	if strings.HasPrefix(l.Target, "/") {
		return "" // "//host" is a path here
	}
	return hostOf(l.Target)
}

// host returns the host field in lower case without a port, and the empty string where it
// says nothing: "-", or "_" as nginx calls a server for all names.
func (l *LogLine) host() string {
	if l.Host == "" || l.Host == "-" || l.Host == "_" {
		return ""
	}
	return hostOf("//" + l.Host)
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
func (d *Decoder) Bot(l *LogLine) bool { return !l.NoAgent && d.agents.Agent(l.UserAgent).Bot }

// PageView makes a message of a line that is a view of the page at path. The id
// is that which Lines gave the line, the place that which Places gave it.
func (d *Decoder) PageView(id model.MessageID, place int32, l *LogLine, path string) model.Message {
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
	knows := model.KnowsAcquisition | model.KnowsPage | model.KnowsAddress
	if agent.Device != "" && !agent.Library {
		knows |= model.KnowsAgent
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
			Place:  place,
			Kind:   model.PageView,
			Name:   origin.EntryPage,
			Origin: origin,
			Knows:  knows,
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
