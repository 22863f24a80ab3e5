package ingest

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/goalgraph/goalgraph/model"
)

// clean makes s fit to be stored: NUL, which PostgreSQL refuses, and invalid
// UTF-8 are removed, and what exceeds model.MaxTextBytes is cut between two runes.
func clean(s string) string {
	if strings.IndexByte(s, 0) >= 0 {
		s = strings.ReplaceAll(s, "\x00", "")
	}
	if !utf8.ValidString(s) {
		s = strings.ToValidUTF8(s, "")
	}
	if len(s) <= model.MaxTextBytes {
		return s
	}
	end := model.MaxTextBytes
	for !utf8.RuneStart(s[end]) {
		end--
	}
	return s[:end]
}

// printable replaces what is not printable: terminals obey control characters, and what comes from a file may be anybody's.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return utf8.RuneError
		}
		return r
	}, s)
}

// clip shortens what a reason quotes.
func clip(s string) string {
	const most = 60
	s = strings.ToValidUTF8(s, "?")
	if len(s) <= most {
		return s
	}
	end := most
	for !utf8.RuneStart(s[end]) {
		end--
	}
	return s[:end] + "…"
}
