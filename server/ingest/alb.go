package ingest

import (
	"strings"
	"time"
)

// parseALB reads a line of an access log of AWS's Application Load Balancer, or of a
// Classic Load Balancer, whose lines lack the first field and all after the user agent:
//
//	type time elb client:port target:port time time time status status bytes bytes "request" "user agent" … "domain" …
//
// The status is the load balancer's. There is no referrer in these logs.
func parseALB(line string) (l LogLine, err error) {
	kind, rest, _ := strings.Cut(line, " ")
	at := kind
	switch kind {
	case "http", "https", "h2", "grpcs", "ws", "wss":
		at, rest, _ = strings.Cut(rest, " ")
	}
	if len(at) < len("2006-01-02T15:04:05Z") || at[10] != 'T' {
		return l, malformed("it does not begin with a type (http, https, h2, grpcs, ws or wss) and a time")
	}
	t, err := time.Parse(time.RFC3339, at)
	if err != nil {
		return l, malformed("it does not begin with a type and a time")
	}
	if l.At, err = checkTime("time", t); err != nil {
		return l, err
	}
	// The name, the client, the target, three durations, two statuses, and two sizes.
	var fields [10]string
	for i := range fields {
		var ok bool
		if fields[i], rest, ok = strings.Cut(rest, " "); !ok {
			return l, malformed("it ends before the request")
		}
	}
	client, ok := clientAddress(fields[1])
	if !ok {
		return l, malformed("no address and port of a client follow the name of the load balancer")
	}
	l.Address = client
	if status := fields[6]; status != "-" && !l.readStatus(status) {
		return l, malformed("no status code follows the durations")
	}
	request, rest, ended, ok := quoted(rest)
	if !ok || !ended {
		return l, malformed("no quoted request follows the sizes")
	}
	l.readRequest(request)
	if l.UserAgent, _, ended, ok = quoted(rest); !ok {
		return l, malformed("no quoted user agent follows the request")
	}
	l.Cut = !ended
	if host := hostOf(l.Target); host != "" && !strings.HasPrefix(l.Target, "/") {
		l.Host = host
	}
	return l, nil
}
