package ingest

// Format is what an imported file holds, a line each.
type Format string

const (
	// Auto stands for the format that the file's first lines show.
	Auto Format = "auto"
	// Combined is an access log in the combined format of Apache and nginx, Common one
	// without referrer and user agent, VhostCombined one with the host and its port before
	// the address, as Debian's Apache has it.
	Combined      Format = "combined"
	Common        Format = "common"
	VhostCombined Format = "vhost_combined"
	// JSON is an access log of JSON lines: Caddy's, Traefik's, nginx's with escape=json.
	JSON Format = "json"
	// W3C is an access log in the W3C extended format of IIS and CloudFront.
	W3C Format = "w3c"
	// ALB is an access log of AWS's load balancers.
	ALB Format = "alb"
	// Nginx is an access log of a log_format that is given.
	Nginx Format = "nginx"
	// Messages is one JSON message of the Segment tracking spec a line.
	Messages Format = "messages"
)

// Formats are the formats that a file's lines can show, in the order in which they are
// tried, and Auto before them.
var Formats = []Format{Auto, Combined, VhostCombined, Common, JSON, Messages, W3C, ALB}

// text returns what the format is called among people.
func (f Format) text() string {
	switch f {
	case Common, Combined, VhostCombined:
		return "an access log in the " + string(f) + " format"
	case JSON:
		return "an access log of JSON lines"
	case W3C:
		return "an access log in the W3C extended format"
	case ALB:
		return "an access log of AWS load balancers"
	case Nginx:
		return "an access log in the given log_format"
	case Messages:
		return "a file with one JSON message per line"
	}
	return string(f)
}

// newParser returns what reads the lines of one file; nil for Messages. nginx is the
// log_format where one is given.
func (f Format) newParser(nginx *nginxFormat) parseLine {
	switch f {
	case Combined:
		return apacheFormat{hasAgent: true}.parse
	case Common:
		return apacheFormat{}.parse
	case VhostCombined:
		return apacheFormat{hasHost: true, hasAgent: true}.parse
	case JSON:
		return newJSONParser()
	case W3C:
		return newW3CParser()
	case ALB:
		return parseALB
	case Nginx:
		return nginx.parse
	}
	return nil
}
