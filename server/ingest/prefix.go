package ingest

import (
	"bytes"
	"time"
)

// A prefix is what a program that carries other programs' logs puts around their lines.
type prefix struct {
	// text is what the prefix is called.
	text string
	// strip returns the line that is carried, or false where the prefix is not there.
	strip func(line []byte) (carried, bool)
}

// carried is what a program wrote, as the line of another.
type carried struct {
	text []byte
	// isPart tells that the carrier cut the program's line, and its next line goes on.
	isPart bool
	// isError tells that it was written to standard error.
	isError bool
}

var prefixes = []*prefix{
	{"Docker's JSON", stripDocker},
	{"Kubernetes' prefix", stripCRI},
	{"a syslog prefix (RFC 5424)", stripSyslog5424},
	{"a syslog prefix (RFC 3164)", stripSyslog3164},
	{"Docker Compose's prefix", stripCompose},
}

// dockerPart is where Docker cuts the lines of a program.
const dockerPart = 16 << 10

// stripDocker reads a line of Docker's json-file driver: {"log":"…\n","stream":"stdout","time":"…"}.
func stripDocker(line []byte) (c carried, ok bool) {
	if !bytes.HasPrefix(bytes.TrimLeft(line, " \t"), []byte("{")) || !bytes.Contains(line, []byte(`"log"`)) {
		return c, false
	}
	root, err := parseValue(line)
	if err != nil {
		return c, false
	}
	var log, stream value
	root.members(func(name []byte, v value) {
		switch string(name) {
		case "log":
			log = v
		case "stream":
			stream = v
		}
	})
	if !log.isString() || !stream.isString() {
		return c, false
	}
	c.text = []byte(log.text())
	c.isError = stream.text() == "stderr"
	if text, ended := bytes.CutSuffix(c.text, []byte("\n")); ended {
		c.text = bytes.TrimSuffix(text, []byte("\r"))
	} else {
		// Programs that pass such logs on take the line break away.
		c.isPart = len(c.text) >= dockerPart
	}
	return c, true
}

// stripCompose reads a line of "docker compose logs": "web-1  | line", and with --timestamps
// "web-1  | 2006-01-02T15:04:05.999999999Z line".
func stripCompose(line []byte) (c carried, ok bool) {
	name, text, ok := bytes.Cut(line, []byte(" | "))
	name = bytes.TrimRight(name, " ")
	if !ok || len(name) == 0 {
		return c, false
	}
	for _, b := range name {
		if !isOfContainer(b) {
			return c, false
		}
	}
	if at, rest, found := bytes.Cut(text, []byte(" ")); found && isTimestamp(at) && len(at) == len("2006-01-02T15:04:05.000000000Z") {
		text = rest
	}
	return carried{text: text}, true
}

// isOfContainer tells the characters of a container's name.
func isOfContainer(b byte) bool {
	return 'a' <= b|0x20 && b|0x20 <= 'z' || '0' <= b && b <= '9' || b == '-' || b == '_' || b == '.'
}

// stripCRI reads a line as Kubernetes keeps it: "2006-01-02T15:04:05.999999999Z stdout F line",
// with P for F where the line goes on.
func stripCRI(line []byte) (c carried, ok bool) {
	at, rest, _ := bytes.Cut(line, []byte(" "))
	if !isTimestamp(at) {
		return c, false
	}
	stream, rest, _ := bytes.Cut(rest, []byte(" "))
	tags, text, ok := bytes.Cut(rest, []byte(" "))
	if !ok || len(tags) == 0 {
		return c, false
	}
	tag, _, _ := bytes.Cut(tags, []byte(":"))
	switch string(stream) {
	case "stdout", "stderr":
		c.isError = string(stream) == "stderr"
	default:
		return c, false
	}
	switch string(tag) {
	case "F", "P":
		c.text, c.isPart = text, tag[0] == 'P'
		return c, true
	}
	return c, false
}

// stripSyslog5424 reads "<PRI>1 TIMESTAMP HOST APP PROCID MSGID STRUCTURED-DATA line".
func stripSyslog5424(line []byte) (c carried, ok bool) {
	rest, ok := skipPriority(line)
	if !ok || !bytes.HasPrefix(rest, []byte("1 ")) {
		return c, false
	}
	rest = rest[2:]
	at, rest, _ := bytes.Cut(rest, []byte(" "))
	if !isTimestamp(at) && string(at) != "-" {
		return c, false
	}
	for range 4 {
		if _, rest, ok = bytes.Cut(rest, []byte(" ")); !ok {
			return c, false
		}
	}
	if rest, ok = skipStructuredData(rest); !ok {
		return c, false
	}
	rest = bytes.TrimPrefix(rest, []byte(" "))
	return carried{text: bytes.TrimPrefix(rest, []byte("\ufeff"))}, true
}

// skipStructuredData skips "-", or elements in brackets one after the other.
func skipStructuredData(s []byte) (rest []byte, ok bool) {
	if rest, ok := bytes.CutPrefix(s, []byte("-")); ok {
		return rest, true
	}
	at := 0
	for at < len(s) && s[at] == '[' {
		for at++; ; at++ {
			if at >= len(s) {
				return nil, false
			}
			if s[at] == '\\' {
				at++
			} else if s[at] == ']' {
				break
			}
		}
		at++
	}
	return s[at:], at > 0
}

// stripSyslog3164 reads "<PRI>Jan _2 15:04:05 HOST TAG: line". PRI is left out in files, HOST
// by some senders, and newer daemons write the time by RFC 3339.
func stripSyslog3164(line []byte) (c carried, ok bool) {
	rest := line
	if bytes.HasPrefix(line, []byte("<")) {
		if rest, ok = skipPriority(line); !ok {
			return c, false
		}
	}
	if at, after, found := bytes.Cut(rest, []byte(" ")); found && isTimestamp(at) {
		rest = after
	} else if len(rest) > len(time.Stamp) && isStamp(rest[:len(time.Stamp)]) && rest[len(time.Stamp)] == ' ' {
		rest = rest[len(time.Stamp)+1:]
	} else {
		return c, false
	}
	header, text, found := bytes.Cut(rest, []byte(": "))
	if !found || len(header) == 0 || bytes.Count(header, []byte(" ")) > 1 || bytes.ContainsAny(header, `"{`) {
		return c, false
	}
	return carried{text: text}, true
}

// skipPriority skips "<PRI>".
func skipPriority(s []byte) (rest []byte, ok bool) {
	if len(s) < 3 || s[0] != '<' {
		return nil, false
	}
	for at := 1; at < min(len(s), 5); at++ {
		switch {
		case s[at] == '>':
			return s[at+1:], at > 1
		case s[at] < '0' || s[at] > '9':
			return nil, false
		}
	}
	return nil, false
}

// isStamp tells whether s is a time as syslog writes it, "Jan _2 15:04:05".
func isStamp(s []byte) bool {
	_, err := time.Parse(time.Stamp, string(s))
	return err == nil
}

// isTimestamp tells whether s looks like a date and time of RFC 3339.
func isTimestamp(s []byte) bool {
	if len(s) < len("2006-01-02T15:04:05Z") {
		return false
	}
	for i, c := range []byte("0000-00-00T00:00:00") {
		if c == '0' && (s[i] < '0' || s[i] > '9') || c != '0' && s[i] != c {
			return false
		}
	}
	return true
}
