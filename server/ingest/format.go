package ingest

import (
	"bytes"

	"github.com/goalgraph/goalgraph/model"
)

// Format is what an imported file holds, a line each.
type Format string

const (
	// Combined is an access log in the combined format of Apache and nginx.
	Combined Format = "combined"
	// Messages is one JSON message of the Segment tracking spec a line.
	Messages Format = "messages"
)

// text returns how the format is called in an error.
func (f Format) text() string {
	if f == Messages {
		return "a file with one JSON message per line (--format messages)"
	}
	return "an access log in the combined format"
}

// fate is what became of a line.
type fate int

const (
	kept fate = iota
	ignored
	bot
	rejected
)

// lineDecoder decodes the lines of one file.
type lineDecoder struct {
	decoder     *Decoder
	format      Format
	includeBots bool
	// bots says whether messages of bots are kept.
	bots  model.BotPolicy
	lines *Lines
}

// decode reads one line; last tells that the file ends without a line break
// after it. An error goes with rejected, and only with it.
func (d *lineDecoder) decode(line []byte, last bool) (message model.Message, is fate, err error) {
	if d.format == Messages {
		return d.decoder.messageLine(line, Envelope{Bots: d.bots})
	}
	text := string(line)
	l, err := ParseCombined(text)
	if err != nil {
		return message, rejected, err
	}
	if last && !l.Ended {
		// It is being written just now. Taken as it is, it would count once more
		// when the whole line is imported.
		return message, rejected, malformed("the file ends in the middle of the line")
	}
	path, ok := l.PageView()
	switch {
	case !ok:
		return message, ignored, nil
	case !d.includeBots && d.decoder.Bot(&l):
		return message, bot, nil
	}
	return d.decoder.PageView(d.lines.ID(text), &l, path), kept, nil
}

func isBlank(line []byte) bool { return len(bytes.TrimSpace(line)) == 0 }
