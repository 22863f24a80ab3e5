package ingest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/goalgraph/goalgraph/model"
)

// Plan is an import whose files have been looked at, and not yet been read: it is known
// what each is, and that its lines can be read.
type Plan struct {
	options Options
	nginx   *nginxFormat
	decoder *Decoder
	latest  model.Millis
	bots    model.BotPolicy
	size    int64 // of all files, or -1
	files   []*plannedFile
	// hosts are those that page views of the first lines of files name, with how many.
	hosts *top
}

// plannedFile is a file of which the first lines have been read.
type plannedFile struct {
	name string
	// source is open already where the file can be read only once.
	source *source
	dialect
	// namesHosts tells that a page view of the first lines has a host of its own.
	namesHosts bool
}

// maxUnreadable is the share of a file's first lines that may be none of its format.
const maxUnreadable = 0.1

// NewPlan looks at the first thousand lines of each file. It fails where a file can not be
// read, where its format is not known, and, unless the options say to keep going, where over
// a tenth of the lines, and more than one, are none of the format. The plan must be closed.
func NewPlan(ctx context.Context, o Options) (_ *Plan, err error) {
	if err := o.validate(); err != nil {
		return nil, err
	}
	p := &Plan{options: o, latest: model.MillisOf(o.Now().Add(24 * time.Hour)), hosts: newTop(topKept)}
	if o.LogFormat != "" {
		if p.nginx, err = newNginxFormat(o.LogFormat); err != nil {
			return nil, err
		}
		p.options.Format = Nginx
	}
	if p.size, err = o.size(); err != nil {
		return nil, err
	}
	if p.decoder, err = NewDecoder(o.Locations); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			p.Close()
		}
	}()
	for _, name := range o.Files {
		if err := p.look(ctx, name); err != nil {
			return nil, err
		}
	}
	return p, nil
}

// Close closes the files that are still open.
func (p *Plan) Close() {
	for _, f := range p.files {
		if f.source != nil {
			f.source.close()
			f.source = nil
		}
	}
}

// NeedsSite tells whether there are files whose lines do not name their host, so that the
// site they go to must be known.
func (p *Plan) NeedsSite() bool {
	return p.options.Route == nil || slices.ContainsFunc(p.files, func(f *plannedFile) bool { return !f.namesHosts })
}

// Format returns the formats of the files, separated by commas.
func (p *Plan) Format() string {
	var found []Format
	for _, f := range p.files {
		if !slices.Contains(found, f.format) {
			found = append(found, f.format)
		}
	}
	return strings.ReplaceAll(names(found), ", ", ",")
}

// look reads the first lines of a file.
func (p *Plan) look(ctx context.Context, name string) error {
	s, err := openSource(ctx, name, p.options.Stdin)
	if err != nil {
		return err
	}
	f := &plannedFile{name: name, source: s}
	p.files = append(p.files, f)
	head := s.head()
	if ctx.Err() != nil {
		return fmt.Errorf("import stopped before its first line: %w", context.Cause(ctx))
	}
	f.dialect = detect(p.decoder, p.options.Format, p.nginx, head)
	if f.format == "" {
		if p.options.Format == Auto && len(head) > 0 {
			return fmt.Errorf("%s is in no known format (%s); its first line is %q; name the format with --format, or give the log_format of nginx with --log-format",
				s.name, names(Formats[1:]), clip(string(head[0].text)))
		}
		if f.format = p.options.Format; f.format == Auto { // an empty file is in any
			f.format = Combined
		}
	}
	if err := p.judge(f, head); err != nil {
		return err
	}
	if info, err := os.Stat(name); err == nil && info.Mode().IsRegular() && name != "-" {
		s.close()
		f.source = nil
	}
	return nil
}

// judge decides whether a file is what it seems, and finds the hosts that it names.
func (p *Plan) judge(f *plannedFile, head []headLine) error {
	d := p.newLineDecoder(f)
	lines, unreadable := 0, 0
	var example string
	for _, line := range head {
		out, is, err := decoded{}, rejected, line.err
		if err == nil {
			out, is, err = d.decode(line.text, line.last)
		}
		if is != part {
			lines++
		}
		switch {
		case is == rejected && isUnreadable(err):
			if unreadable++; unreadable == 1 {
				example = fmt.Sprintf("line %d, %q: %s", line.number, clip(string(line.text)), printable(err.Error()))
			}
		case is == kept && p.options.Route != nil && isHostName(out.host):
			f.namesHosts = true
			p.hosts.add(out.host)
		}
	}
	if p.options.KeepGoing || float64(unreadable) <= maxUnreadable*float64(lines) || unreadable == 1 && lines > 1 {
		return nil
	}
	return fmt.Errorf("%s is not %s: %d of its first %d lines cannot be read, for example %s; name its format with --format or --log-format, or leave such lines out with --keep-going",
		f.source.name, f.dialect.text(), unreadable, lines, example)
}

// SetBots says what becomes of messages of bots: what the site that they are for does. Options that include bots go before.
func (p *Plan) SetBots(policy model.BotPolicy) {
	if !p.options.IncludeBots {
		p.bots = policy
	}
}

// newLineDecoder returns the decoder of one reading of a file.
func (p *Plan) newLineDecoder(f *plannedFile) *lineDecoder {
	return &lineDecoder{
		decoder: p.decoder, prefix: f.prefix, format: f.format, parse: f.format.newParser(p.nginx),
		includeBots: p.options.IncludeBots, bots: p.bots, lines: NewLines(), places: NewPlaces(), latest: p.latest,
	}
}

// isHostName tells a name, of which there may be a site, from an address.
func isHostName(host string) bool {
	_, isAddress := parseAddress(host)
	return host != "" && !isAddress && strings.ContainsFunc(host, func(r rune) bool { return r > '9' })
}

// describe tells what the files are read as.
func (p *Plan) describe(w io.Writer) {
	const most = 20
	for i, f := range p.files {
		if i == most {
			fmt.Fprintf(w, "and %d more files\n", len(p.files)-most)
			return
		}
		name := f.name
		if name == "-" {
			name = "standard input"
		}
		fmt.Fprintf(w, "%s: %s\n", printable(name), printable(f.dialect.text()))
	}
}

// outcome is what became of one line.
type outcome struct {
	decoded
	is   fate
	size int // bytes of the line
}

// readFile decodes a file by a decoder of its own, and calls take for each line that is one, and note with what is to
// be said of rejected ones. read is told how many bytes of the file have been read.
func (p *Plan) readFile(ctx context.Context, f *plannedFile, d *lineDecoder, take func(outcome) error, note func(string), read func(bytes int64)) error {
	s := f.source
	if s == nil {
		var err error
		if s, err = openSource(ctx, f.name, nil); err != nil {
			return err
		}
	}
	f.source = nil
	defer s.close()
	bad := 0
	defer func() {
		if more := bad - maxRejects; more > 0 {
			note(fmt.Sprintf("%s: %d more lines were rejected\n", printable(s.name), more))
		}
	}()
	for {
		line, last, err := s.next()
		if err == io.EOF {
			read(s.counted.bytes)
			return nil
		}
		if err != nil && !errors.Is(err, errTooLong) {
			return err
		}
		if err == nil && isBlank(line) {
			continue
		}
		o := outcome{is: rejected, size: len(line)}
		if err == nil {
			o.decoded, o.is, err = d.decode(line, last)
		}
		if o.is == rejected {
			if bad++; bad <= maxRejects {
				note(printable(fmt.Sprintf("%s:%d: %v", s.name, s.number, err)) + "\n")
			}
		}
		if o.is == part {
			continue
		}
		if s.number%1024 == 0 {
			read(s.counted.bytes)
			if ctx.Err() != nil {
				return ctx.Err()
			}
		}
		if err := take(o); err != nil {
			return err
		}
	}
}
