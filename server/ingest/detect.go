package ingest

import (
	"strings"
)

// dialect is how a file is written: the lines of a format, which a prefix may carry.
type dialect struct {
	prefix *prefix
	format Format
}

// text returns what the dialect is called among people.
func (d dialect) text() string {
	if d.prefix == nil {
		return d.format.text()
	}
	return d.format.text() + ", in " + d.prefix.text
}

// detect returns the dialect in which most of a file's first lines can be read, of several
// the first in the order of Formats and prefixes. format may be Auto. Without a line that
// can be read it returns the zero dialect, whose format is empty.
func detect(decoder *Decoder, format Format, nginx *nginxFormat, head []headLine) (best dialect) {
	formats := []Format{format}
	if format == Auto {
		formats = Formats[1:]
	}
	most := 0
	for _, p := range append([]*prefix{nil}, prefixes...) {
		for _, f := range formats {
			if p != nil && !p.carries(head) {
				continue
			}
			candidate := dialect{p, f}
			if n := candidate.readable(decoder, nginx, head); n > most {
				best, most = candidate, n
			}
		}
	}
	return best
}

// carries tells whether the prefix is around one of the lines at least.
func (p *prefix) carries(head []headLine) bool {
	for _, line := range head {
		if _, ok := p.strip(line.text); ok {
			return true
		}
	}
	return false
}

// readable returns how many of the lines tell of a request, or are messages.
func (d dialect) readable(decoder *Decoder, nginx *nginxFormat, head []headLine) (n int) {
	parse := d.format.newParser(nginx)
	for _, line := range head {
		text := line.text
		if d.prefix != nil {
			c, ok := d.prefix.strip(text)
			if !ok || c.isPart {
				continue
			}
			text = c.text
		}
		var err error
		if parse == nil {
			_, _, err = decoder.Message(text, Envelope{})
		} else {
			_, err = parse(string(text))
		}
		if err == nil {
			n++
		}
	}
	return n
}

// names lists formats, for people.
func names(formats []Format) string {
	list := make([]string, len(formats))
	for i, f := range formats {
		list[i] = string(f)
	}
	return strings.Join(list, ", ")
}
