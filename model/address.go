package model

import (
	"strings"
	"unicode/utf8"

	"golang.org/x/net/idna"
)

// Path returns the one form of a URL's path: without query and fragment, and
// percent-encoded by RFC 3986 as little as it allows. Letters, digits and - . _ ~ are
// never encoded, UTF-8 is shown as such, and all other bytes that have no place in a path
// are %XX with upper-case digits, a % that begins no %XX too. Reserved characters stay as
// they are, encoded or not, since the two differ (RFC 3986, 2.2). Nothing else is folded:
// /a, /a/ and /A are three paths.
//
// The result is valid UTF-8 of at most MaxTextBytes bytes, and its own form. A glob is a
// path too, since * is a character of paths.
func Path(path string) string {
	if end := strings.IndexAny(path, "?#"); end >= 0 {
		path = path[:end]
	}
	if isPlainPath(path) && len(path) <= MaxTextBytes {
		return path
	}
	var p pathWriter
	for i := 0; i < len(path); {
		b, encoded := path[i], false
		if b == '%' && i+2 < len(path) && isHex(path[i+1]) && isHex(path[i+2]) {
			b, encoded = hexValue(path[i+1])<<4|hexValue(path[i+2]), true
			i += 2
		}
		i++
		switch {
		case b >= utf8.RuneSelf:
			p.high = append(p.high, b)
		case isUnreserved(b), !encoded && isReserved(b):
			p.write(string(rune(b)))
		default:
			p.write(percent(b))
		}
	}
	p.flush()
	return p.String()
}

// pathWriter joins the parts of a path. Bytes beyond ASCII wait in high for those that
// follow, with which they may be UTF-8.
type pathWriter struct {
	strings.Builder
	high []byte
	full bool
}

func (p *pathWriter) write(part string) {
	p.flush()
	p.append(part)
}

func (p *pathWriter) flush() {
	for rest := p.high; len(rest) > 0; {
		r, size := utf8.DecodeRune(rest)
		if r == utf8.RuneError && size == 1 {
			p.append(percent(rest[0]))
		} else {
			p.append(string(rest[:size]))
		}
		rest = rest[size:]
	}
	p.high = p.high[:0]
}

// append adds a part that is not to be cut, unless there is no room.
func (p *pathWriter) append(part string) {
	p.full = p.full || p.Len()+len(part) > MaxTextBytes
	if !p.full {
		p.WriteString(part)
	}
}

// isPlainPath tells that the path is its own form, as nearly all paths are.
func isPlainPath(path string) bool {
	for i := range len(path) {
		if b := path[i]; !isUnreserved(b) && !isReserved(b) {
			return false
		}
	}
	return true
}

func isUnreserved(b byte) bool {
	return 'a' <= b && b <= 'z' || 'A' <= b && b <= 'Z' || '0' <= b && b <= '9' || b == '-' || b == '.' || b == '_' || b == '~'
}

// isReserved tells the delimiters that may stand in a path (RFC 3986, 3.3).
func isReserved(b byte) bool { return strings.IndexByte("/:@!$&'()*+,;=", b) >= 0 }

func isHex(b byte) bool {
	return '0' <= b && b <= '9' || 'a' <= b|0x20 && b|0x20 <= 'f'
}

func hexValue(b byte) byte {
	if b <= '9' {
		return b - '0'
	}
	return b | 0x20 - 'a' + 10
}

func percent(b byte) string {
	const digits = "0123456789ABCDEF"
	return string([]byte{'%', digits[b>>4], digits[b&15]})
}

// names reads the names of hosts as browsers do, but refuses no underscore: there are
// hosts with one.
var names = idna.New(idna.MapForLookup(), idna.StrictDomainName(false), idna.Transitional(false))

// Host returns the one form of a host's name: in lower case, without a trailing dot, and
// an internationalised one in Unicode ("xn--caf-dma.example" is "café.example"). What is no
// such name, an address for example, is only written in lower case. The result is valid
// UTF-8 of at most MaxTextBytes bytes, and its own form.
func Host(host string) string {
	if isPlainHost(host) {
		return host
	}
	plain := plainHost(host)
	name := nameOfHost(plain)
	// What a name stands for must stand for itself. Names are also made up.
	if name == "" || len(name) > MaxTextBytes || plainHost(name) != name || nameOfHost(name) != name {
		return plain
	}
	return name
}

// nameOfHost returns the Unicode form of an internationalised name, and any other as it
// is; the empty string for what is none.
func nameOfHost(host string) string {
	const longest = 1 << 10 // reading one takes time by the square of its length
	if isASCII(host) && !strings.Contains(host, "xn--") || len(host) > longest {
		return host
	}
	name, err := names.ToUnicode(host)
	if err != nil {
		return ""
	}
	name = strings.TrimRight(name, ".")
	for i := range len(name) {
		// A letter that looks like a slash must not become one.
		if c := name[i]; c < utf8.RuneSelf && !isUnreserved(c) && strings.IndexByte(host, c) < 0 {
			return ""
		}
	}
	return name
}

// ASCIIHost returns a host's name as it is sent, in Punycode where it is internationalised.
func ASCIIHost(host string) string {
	ascii, err := names.ToASCII(host)
	if err != nil {
		return host
	}
	return ascii
}

func plainHost(host string) string {
	host = strings.ToLower(strings.ToValidUTF8(strings.ReplaceAll(host, "\x00", ""), ""))
	host = strings.TrimRight(host, ".")
	for len(host) > MaxTextBytes {
		_, size := utf8.DecodeLastRuneInString(host)
		host = strings.TrimRight(host[:len(host)-size], ".")
	}
	return host
}

// isPlainHost tells that the host is its own form, as nearly all hosts are.
func isPlainHost(host string) bool {
	for i := range len(host) {
		if b := host[i]; b == 0 || b >= utf8.RuneSelf || 'A' <= b && b <= 'Z' {
			return false
		}
	}
	return len(host) <= MaxTextBytes && !strings.HasSuffix(host, ".") && !strings.Contains(host, "xn--")
}

func isASCII(s string) bool {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}
