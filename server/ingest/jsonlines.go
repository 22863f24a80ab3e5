package ingest

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/goalgraph/goalgraph/model"
)

// jsonField is what a member of a JSON line tells.
type jsonField int

const (
	jsonTime jsonField = iota
	jsonClient
	jsonForwarded
	jsonRequest
	jsonMethod
	jsonTarget
	jsonQuery
	jsonStatus
	jsonReferrer
	jsonAgent
	jsonHost
	jsonLevel
	jsonMessage
	jsonFields // how many there are
)

// jsonNames are the names that Caddy, Traefik, and those who write nginx's log_format with
// escape=json give the fields of a request, in lower case and without what is neither letter
// nor digit: "request_User-Agent" is requestuseragent. Of those that tell the same, the
// first in a list counts.
var jsonNames = [jsonFields][]string{
	// A request's own time before that of the entry.
	jsonTime:      {"startutc", "startlocal", "msec", "timeiso8601", "timelocal", "timestamp", "ts", "time", "datetime", "date", "eventtime"},
	jsonClient:    {"clientip", "remoteip", "remoteaddr", "clienthost", "clientaddr", "client", "clientaddress", "remoteaddress", "remotehost", "ip", "ipaddress", "sourceip"},
	jsonForwarded: {"httpxforwardedfor", "xforwardedfor", "requestxforwardedfor", "forwardedfor"},
	jsonRequest:   {"request", "requestline"},
	jsonMethod:    {"requestmethod", "method", "httpmethod", "verb"},
	jsonTarget:    {"requesturi", "uri", "requestpath", "url", "path", "requesturl", "target"},
	jsonQuery:     {"args", "querystring", "query"},
	jsonStatus:    {"status", "downstreamstatus", "statuscode", "httpstatus", "responsestatus", "responsecode", "response", "code"},
	jsonReferrer:  {"httpreferer", "httpreferrer", "referer", "referrer", "requestreferer"},
	jsonAgent:     {"httpuseragent", "useragent", "requestuseragent", "agent", "ua"},
	jsonHost:      {"host", "httphost", "requesthost", "vhost", "virtualhost", "servername", "domain", "requesthostname"},
	jsonLevel:     {"level"},
	jsonMessage:   {"msg", "message"},
}

// jsonRank says of a name which field it is of, and how many names go before it.
type jsonRank struct {
	field jsonField
	rank  int
}

func jsonRanks() map[string]jsonRank {
	ranks := map[string]jsonRank{}
	for field, names := range jsonNames {
		for rank, name := range names {
			ranks[name] = jsonRank{jsonField(field), rank}
		}
	}
	return ranks
}

// jsonRequestLine is a JSON line whose members are known by their names, wherever in the
// line's objects they stand: Caddy has the request in an object of its own, and its headers
// as lists in another.
type jsonRequestLine struct {
	ranks  map[string]jsonRank
	values [jsonFields]value
	found  [jsonFields]int // the rank of the value, plus 1; 0 for none
	name   []byte
	// hasHeaders tells that the request's headers are there, so that one that is not was
	// not sent.
	hasHeaders bool
}

// jsonDepth is how deep requests and their headers are nested.
const jsonDepth = 3

// newJSONParser returns a parser of JSON lines.
func newJSONParser() parseLine {
	ranks := jsonRanks()
	return func(line string) (LogLine, error) {
		root, err := parseValue([]byte(line))
		if err != nil || !root.isObject() {
			return LogLine{}, malformed("it is no JSON object")
		}
		j := jsonRequestLine{ranks: ranks}
		j.read(root, 1, false)
		return j.request()
	}
}

// read reads the members of an object. Among headers only those count that clients send
// with every request: the others are whatever they please.
func (j *jsonRequestLine) read(object value, depth int, areHeaders bool) {
	object.members(func(name []byte, v value) {
		j.name = appendName(j.name[:0], name)
		if v.isObject() {
			isHeaders := bytes.HasSuffix(j.name, []byte("headers"))
			j.hasHeaders = j.hasHeaders || isHeaders
			if depth < jsonDepth && !(isHeaders && bytes.HasPrefix(j.name, []byte("res"))) {
				j.read(v, depth+1, isHeaders)
			}
			return
		}
		known, ok := j.ranks[string(j.name)]
		if !ok || areHeaders && known.field != jsonForwarded && known.field != jsonReferrer && known.field != jsonAgent {
			return
		}
		if len(v) > 0 && v[0] == '[' {
			v = v.first()
		}
		if !v.isString() && !v.isNumber() {
			return
		}
		if rank := known.rank + 1; j.found[known.field] == 0 || rank < j.found[known.field] {
			j.values[known.field], j.found[known.field] = v, rank
		}
	})
}

// appendName appends what counts of a name.
func appendName(to, name []byte) []byte {
	for _, c := range name {
		if 'A' <= c && c <= 'Z' {
			c |= 0x20
		}
		if 'a' <= c && c <= 'z' || '0' <= c && c <= '9' {
			to = append(to, c)
		}
	}
	return to
}

// first returns the first element of an array.
func (v value) first() (first value) {
	v.elements(func(element value) {
		if first == nil {
			first = element
		}
	})
	return first
}

func (j *jsonRequestLine) text(field jsonField) string { return j.values[field].scalar() }

func (j *jsonRequestLine) request() (l LogLine, err error) {
	if j.found[jsonRequest] > 0 {
		l.readRequest(j.text(jsonRequest))
	}
	if j.found[jsonMethod] > 0 {
		l.Method = j.text(jsonMethod)
	}
	if j.found[jsonTarget] > 0 {
		l.Target = withQuery(j.text(jsonTarget), j.text(jsonQuery))
	}
	if j.found[jsonStatus] == 0 && j.found[jsonLevel] > 0 && j.found[jsonMessage] > 0 {
		return l, errNoRequest // of the server's own log, which shares the file
	}
	if !l.readStatus(j.text(jsonStatus)) {
		return l, malformed("it has no status")
	}
	if j.found[jsonRequest]+j.found[jsonTarget] == 0 {
		return l, malformed("it has no request")
	}
	if l.At, err = j.time(); err != nil {
		return l, err
	}
	remote, ok := clientAddress(j.text(jsonClient))
	if !ok && (j.found[jsonClient] > 0 || j.found[jsonForwarded] == 0) {
		return l, malformed("it has no address of a client")
	}
	l.Address = clientBehind(remote, j.text(jsonForwarded))
	if l.Address == "" {
		return l, malformed("it has no address of a client")
	}
	l.Host = j.text(jsonHost)
	l.Referrer = j.text(jsonReferrer)
	l.UserAgent = j.text(jsonAgent)
	l.NoAgent = j.found[jsonAgent] == 0 && !j.hasHeaders
	return l, nil
}

func (j *jsonRequestLine) time() (model.Millis, error) {
	if j.found[jsonTime] == 0 {
		return 0, malformed("it has no time")
	}
	t, ok := parseTime(j.text(jsonTime))
	if !ok {
		return 0, malformed(fmt.Sprintf("its time %q is written in no way that is known", clip(j.text(jsonTime))))
	}
	return checkTime("time", t)
}

// withQuery returns a path with the query that stands in a field of its own.
func withQuery(path, query string) string {
	if query == "" || query == "-" || strings.Contains(path, "?") {
		return path
	}
	return path + "?" + strings.TrimPrefix(query, "?")
}
