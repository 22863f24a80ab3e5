package ingest

import (
	"errors"

	"github.com/goalgraph/goalgraph/model"
)

// fate is what became of a line.
type fate int

const (
	kept fate = iota
	ignored
	bot
	rejected
	// part is of a line that the next one goes on. It counts with that.
	part
)

// decoded is what a line tells.
type decoded struct {
	message model.Message
	// host is the host that the line's own field names, and empty without such a field.
	host string
	// userAgent is as it was sent, that of a message only where it is wanted.
	userAgent string
}

// lineDecoder decodes the lines of one file.
type lineDecoder struct {
	decoder     *Decoder
	prefix      *prefix // nil for none
	format      Format
	parse       parseLine
	includeBots bool
	// bots says whether messages of bots are kept.
	bots   model.BotPolicy
	lines  *Lines
	places *Places
	// wantsAgents asks for the user agents of messages, which cost a second reading.
	wantsAgents bool
	// latest is the time from which lines are rejected.
	latest model.Millis
	// parts are the beginnings of lines that a prefix cut, of standard output and error.
	parts [2][]byte
}

// decode reads one line; last tells that the file ends without a line break
// after it. An error goes with rejected, and only with it.
func (d *lineDecoder) decode(line []byte, last bool) (out decoded, is fate, err error) {
	isError := false
	if d.prefix != nil {
		c, ok := d.prefix.strip(line)
		if !ok {
			return out, rejected, malformed("it is not in " + d.prefix.text)
		}
		isError = c.isError
		if line, is = d.join(c); is == part {
			return out, part, nil
		}
		if len(line) > maxLineBytes {
			return out, rejected, errTooLong
		}
	}
	if d.format == Messages {
		return d.decodeMessage(line)
	}
	text := string(line)
	l, err := d.parse(text)
	switch {
	case errors.Is(err, errNoRequest):
		return out, ignored, nil
	case err != nil && isError && isUnreadable(err):
		return out, ignored, nil // a server's errors stand beside its requests
	case err != nil && isUnreadable(err):
		return out, rejected, model.Errorf(model.BadInput, "not in the %s format: %v", string(d.format), err)
	case err != nil:
		return out, rejected, err
	case last && l.Cut:
		// It is being written just now. Taken as it is, it would count once more
		// when the whole line is imported.
		return out, rejected, malformed("the file ends in the middle of the line")
	}
	if err := d.checkAhead("time", l.At); err != nil {
		return out, rejected, err
	}
	place := d.places.Next(l.At)
	path, ok := l.PageView()
	switch {
	case !ok:
		return out, ignored, nil
	case !d.includeBots && d.decoder.Bot(&l):
		return out, bot, nil
	}
	out.host, out.userAgent = l.host(), l.UserAgent
	out.message = d.decoder.PageView(d.lines.ID(text), place, &l, path)
	return out, kept, nil
}

func (d *lineDecoder) decodeMessage(line []byte) (out decoded, is fate, err error) {
	message, is, err := d.decoder.messageLine(line, Envelope{Bots: d.bots})
	if is != kept {
		return out, is, err
	}
	if err := d.checkAhead("timestamp", message.Hit.At); err != nil {
		return out, rejected, err
	}
	message.Hit.Place = d.places.Next(message.Hit.At)
	out.message = message
	if d.wantsAgents {
		out.userAgent = userAgentOf(line)
	}
	return out, kept, nil
}

// userAgentOf returns the user agent of a message's context.
func userAgentOf(line []byte) (agent string) {
	root, err := parseValue(line)
	if err != nil {
		return ""
	}
	root.members(func(name []byte, v value) {
		if string(name) == "context" {
			v.members(func(name []byte, v value) {
				if string(name) == "userAgent" {
					agent = v.text()
				}
			})
		}
	})
	return agent
}

// join returns the line that c ends, or that it is part of one.
func (d *lineDecoder) join(c carried) (line []byte, is fate) {
	parts := &d.parts[0]
	if c.isError {
		parts = &d.parts[1]
	}
	if !c.isPart && len(*parts) == 0 {
		return c.text, kept
	}
	// More than the longest line need not be kept to know that it is too long.
	*parts = append(*parts, c.text[:min(len(c.text), max(0, maxLineBytes+1-len(*parts)))]...)
	if c.isPart {
		return nil, part
	}
	line = *parts
	*parts = nil
	return line, kept
}

// checkAhead refuses a time that can not have come yet, on a clock that is a day slow.
func (d *lineDecoder) checkAhead(field string, at model.Millis) error {
	if at < d.latest {
		return nil
	}
	return model.Invalid(field, "%s is more than a day ahead of the clock of this machine", at.Time().UTC().Format("2006-01-02T15:04:05Z"))
}
