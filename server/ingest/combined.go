package ingest

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// apacheFormat is a format of Apache's family, which nginx and others write too:
//
//	host:port address identity user [time] "request" status bytes "referrer" "user agent"
//
// with the host only where hasHost, and the last two only where hasAgent. What follows
// these fields is allowed, and left out but for a quoted X-Forwarded-For right after them.
type apacheFormat struct{ hasHost, hasAgent bool }

func (f apacheFormat) parse(line string) (l LogLine, err error) {
	line = strings.TrimLeft(line, " \t")
	if f.hasHost {
		if l.Host, line, _ = strings.Cut(line, " "); !isHostAndPort(l.Host) {
			return l, malformed(fmt.Sprintf("it begins with %q, which is no host with a port", clip(l.Host)))
		}
	}
	address, rest, ok := strings.Cut(line, " ")
	if !ok {
		return l, malformed("it has no fields")
	}
	forwarded := ""
	for strings.HasSuffix(address, ",") { // of an X-Forwarded-For the first is the client
		if forwarded == "" {
			forwarded = address[:len(address)-1]
		}
		if address, rest, ok = strings.Cut(rest, " "); !ok {
			return l, malformed("no fields follow the addresses")
		}
	}
	if forwarded != "" {
		address = forwarded
	}
	if l.Address, ok = clientAddress(address); !ok {
		return l, malformed(fmt.Sprintf("it begins with %q, which is no address of a client", clip(address)))
	}
	who, rest, err := l.readTime(rest)
	if err != nil {
		return l, err
	}
	if err := f.checkWho(who); err != nil {
		return l, err
	}
	request, rest, ended, ok := quoted(rest)
	if !ok || !ended {
		return l, malformed("no quoted request follows the time")
	}
	l.readRequest(request)
	status, rest, _ := strings.Cut(strings.TrimLeft(rest, " "), " ")
	if !l.readStatus(status) {
		return l, malformed("no status code follows the request")
	}
	size, rest, _ := strings.Cut(rest, " ")
	if !isSize(size) {
		return l, malformed("no size in bytes follows the status code")
	}
	if !f.hasAgent {
		l.NoAgent = true
		if strings.HasPrefix(rest, "\"") {
			return l, malformed("a quoted field follows the size; the format may be combined")
		}
		return l, nil
	}
	if l.Referrer, rest, ended, ok = quoted(rest); !ok || !ended {
		return l, malformed("no quoted referrer follows the size")
	}
	if l.UserAgent, rest, ended, ok = quoted(rest); !ok {
		return l, malformed("no quoted user agent follows the referrer")
	}
	l.Cut = !ended
	if strings.HasPrefix(rest, " \"") {
		if forwarded, _, _, ok := quoted(rest); ok {
			l.Address = clientBehind(l.Address, forwarded)
		}
	}
	return l, nil
}

// checkWho checks what stands between the address and the time: an identity, which is "-"
// unless the server asks clients for it, and a user, who may have spaces in the name. There
// a host before the address, or a missing one, shows.
func (f apacheFormat) checkWho(who string) error {
	if who == "- - " {
		return nil
	}
	identity, user, _ := strings.Cut(who, " ")
	user = strings.TrimRight(user, " ")
	switch {
	case f.hasHost && user == "":
		return malformed("it has no host and port before the address of the client")
	case identity != "-" && strings.Contains(user, " "):
		return malformed("it has fields more before the time; the format may be vhost_combined")
	}
	return nil
}

// isHostAndPort tells whether s is a host, whose port may be left out.
func isHostAndPort(s string) bool {
	if colon := strings.LastIndexByte(s, ':'); colon >= 0 && !strings.HasSuffix(s, "]") {
		if _, ok := digits(s[colon+1:]); !ok {
			return false
		}
		s = s[:colon]
	}
	s = strings.TrimSuffix(strings.TrimPrefix(s, "["), "]")
	_, ok := clientAddress(s)
	return ok
}

// readTime skips the identity and the user, who may have brackets in his name, and reads
// the time.
func (l *LogLine) readTime(s string) (who, rest string, err error) {
	for at := 0; ; {
		open := strings.IndexByte(s[at:], '[')
		if open < 0 {
			return "", "", malformed("no [time] follows the address")
		}
		who, rest, at = s[:at+open], s[at+open+1:], at+open+1
		if len(rest) <= logTimeLength || rest[logTimeLength] != ']' {
			continue
		}
		if t, ok := parseLogTime(rest); ok {
			l.At, err = checkTime("time", t)
			return who, rest[logTimeLength+1:], err
		}
	}
}

func isSize(s string) bool {
	if s == "-" {
		return true
	}
	_, ok := digits(s)
	return ok && s != ""
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

// unescape undoes \", \\, the letters of C, \xHH for a byte and \uHHHH: what Apache and
// nginx write for quotes and for what is not printable ASCII, nginx's escape=json too.
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
		case 'u':
			if i+4 < len(s) {
				if r, err := strconv.ParseUint(s[i+1:i+5], 16, 16); err == nil {
					out = utf8.AppendRune(out, rune(r))
					i += 4
					continue
				}
			}
			out = append(out, `\u`...)
		default:
			out = append(out, s[i])
		}
	}
	return string(out)
}
