package ingest

import (
	"encoding/json"
	"fmt"
	"strings"
	"unicode/utf8"
)

// value is a JSON value's text, which json.Valid has accepted, without the space
// around it.
//
// Messages are read in place and not through reflection, since encoding/json
// matches names without regard to case (a property "Value" is not "value"),
// gives up on a message where a field has another type than expected, and spends
// most of its time on what nobody asks for.
type value []byte

// parseValue checks that raw is one JSON value, nested no deeper than
// encoding/json allows (10,000).
func parseValue(raw []byte) (value, error) {
	if !json.Valid(raw) {
		var any json.RawMessage
		return nil, json.Unmarshal(raw, &any)
	}
	at := skipSpace(raw, 0)
	return raw[at:skipValue(raw, at)], nil
}

func (v value) isObject() bool { return len(v) > 0 && v[0] == '{' }
func (v value) isString() bool { return len(v) > 0 && v[0] == '"' }
func (v value) isNumber() bool {
	return len(v) > 0 && (v[0] == '-' || '0' <= v[0] && v[0] <= '9')
}

func (v value) isBool() bool { return len(v) > 0 && (v[0] == 't' || v[0] == 'f') }

// isMissing tells that there is no value, or null.
func (v value) isMissing() bool { return len(v) == 0 || v[0] == 'n' }

// members calls visit for each member of an object, in order. Any other value
// has none.
func (v value) members(visit func(name []byte, member value)) {
	if !v.isObject() {
		return
	}
	for at := skipSpace(v, 1); v[at] != '}'; {
		end := skipString(v, at)
		name := []byte(v[at+1 : end-1])
		if needsDecoding(name) {
			name = []byte(decodeString(v[at:end]))
		}
		at = skipSpace(v, skipSpace(v, end)+1)
		end = skipValue(v, at)
		visit(name, v[at:end])
		if at = skipSpace(v, end); v[at] == ',' {
			at = skipSpace(v, at+1)
		}
	}
}

// elements calls visit for each element of an array, in order. Any other value
// has none.
func (v value) elements(visit func(element value)) {
	if len(v) == 0 || v[0] != '[' {
		return
	}
	for at := skipSpace(v, 1); v[at] != ']'; {
		end := skipValue(v, at)
		visit(v[at:end])
		if at = skipSpace(v, end); v[at] == ',' {
			at = skipSpace(v, at+1)
		}
	}
}

// text returns a string, uncleaned, and the empty string for any other value.
func (v value) text() string {
	if !v.isString() {
		return ""
	}
	if inner := v[1 : len(v)-1]; !needsDecoding(inner) {
		return string(inner)
	}
	return decodeString(v)
}

// address returns a string as text does, but has the bytes that are no UTF-8 as %XX, which
// is what they are in a URL.
func (v value) address() string {
	if !v.isString() || utf8.Valid(v) {
		return v.text()
	}
	escaped := make([]byte, 0, 2*len(v))
	for rest := v; len(rest) > 0; {
		r, size := utf8.DecodeRune(rest)
		if r == utf8.RuneError && size == 1 {
			escaped = fmt.Appendf(escaped, "%%%02X", rest[0])
		} else {
			escaped = append(escaped, rest[:size]...)
		}
		rest = rest[size:]
	}
	return value(escaped).text()
}

// scalar returns a string, or a number as it was written, and the empty string
// for any other value.
func (v value) scalar() string {
	if v.isNumber() {
		return string(v)
	}
	return v.text()
}

func needsDecoding(inner []byte) bool {
	for _, c := range inner {
		if c == '\\' || c >= utf8.RuneSelf {
			return true
		}
	}
	return false
}

// decodeString undoes a string's escapes, and leaves out what is no UTF-8.
func decodeString(quoted []byte) string {
	var s string
	if err := json.Unmarshal([]byte(strings.ToValidUTF8(string(quoted), "")), &s); err != nil {
		return ""
	}
	return s
}

func skipSpace(v []byte, at int) int {
	for at < len(v) && (v[at] == ' ' || v[at] == '\t' || v[at] == '\n' || v[at] == '\r') {
		at++
	}
	return at
}

// skipString returns the end of the string that begins at v[at].
func skipString(v []byte, at int) int {
	for at++; v[at] != '"'; at++ {
		if v[at] == '\\' {
			at++
		}
	}
	return at + 1
}

// skipValue returns the end of the value that begins at v[at].
func skipValue(v []byte, at int) int {
	switch v[at] {
	case '"':
		return skipString(v, at)
	case '{', '[':
		for depth := 0; ; {
			switch v[at] {
			case '"':
				at = skipString(v, at)
				continue
			case '{', '[':
				depth++
			case '}', ']':
				depth--
			}
			at++
			if depth == 0 {
				return at
			}
		}
	}
	for at < len(v) && strings.IndexByte(",]} \t\n\r", v[at]) < 0 {
		at++
	}
	return at
}
