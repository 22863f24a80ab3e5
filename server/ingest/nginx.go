package ingest

import (
	"fmt"
	"strings"

	"github.com/goalgraph/goalgraph/model"
)

// nginxField is what a variable of nginx tells.
type nginxField int

const (
	nginxSkipped nginxField = iota
	nginxRemote
	nginxForwarded
	nginxTimeLocal
	nginxTimeISO
	nginxMsec
	nginxRequest
	nginxMethod
	nginxTarget
	nginxArgs
	nginxStatus
	nginxReferrer
	nginxAgent
	nginxHost
	nginxServer
)

var nginxVariables = map[string]nginxField{
	"remote_addr": nginxRemote, "http_x_forwarded_for": nginxForwarded, "proxy_add_x_forwarded_for": nginxForwarded,
	"time_local": nginxTimeLocal, "time_iso8601": nginxTimeISO, "msec": nginxMsec,
	"request": nginxRequest, "request_method": nginxMethod,
	"request_uri": nginxTarget, "uri": nginxTarget, "document_uri": nginxTarget, "args": nginxArgs, "query_string": nginxArgs,
	"status": nginxStatus, "http_referer": nginxReferrer, "http_user_agent": nginxAgent,
	"host": nginxHost, "http_host": nginxHost, "server_name": nginxServer,
}

// nginxFormat reads lines of a log_format of nginx: a text, then variables with a text
// after each, up to which the variable goes.
type nginxFormat struct {
	before    string
	variables []nginxVariable
	// needed is how many of the variables are read; what follows is left out.
	needed   int
	hasAgent bool
}

type nginxVariable struct {
	name  string
	field nginxField
	after string
}

// maxLogFormat bounds the length of a log_format, in bytes.
const maxLogFormat = 16 << 10

// newNginxFormat compiles the string of a log_format, or the whole directive as it stands in
// nginx's configuration. An error says what is wrong with it, or what it lacks.
func newNginxFormat(text string) (*nginxFormat, error) {
	if len(text) > maxLogFormat {
		return nil, model.Invalid("--log-format", "is longer than %d KiB", maxLogFormat>>10)
	}
	format, err := nginxDirective(text)
	if err != nil {
		return nil, err
	}
	// The three together are what $request_uri is.
	format = strings.NewReplacer("$uri$is_args$args", "$request_uri", "$document_uri$is_args$args", "$request_uri").Replace(format)
	f := &nginxFormat{}
	known := map[nginxField]bool{}
	for at := 0; at < len(format); {
		dollar := strings.IndexByte(format[at:], '$')
		if dollar < 0 {
			f.addText(format[at:])
			break
		}
		f.addText(format[at : at+dollar])
		name, rest, err := nginxName(format[at+dollar+1:])
		if err != nil {
			return nil, err
		}
		at = len(format) - len(rest)
		field := nginxVariables[name]
		known[field] = true
		f.variables = append(f.variables, nginxVariable{name: name, field: field})
		if field != nginxSkipped {
			f.needed = len(f.variables)
		}
	}
	for i, v := range f.variables[:max(0, len(f.variables)-1)] {
		next := f.variables[i+1]
		if v.after == "" && next.field != nginxTarget {
			return nil, model.Invalid("--log-format", "has nothing between $%s and $%s, so that it cannot be known where one ends; put a space between them", v.name, next.name)
		}
	}
	for _, part := range []struct {
		text string
		has  bool
	}{
		{"address of the client: use $remote_addr or $http_x_forwarded_for", known[nginxRemote] || known[nginxForwarded]},
		{"time: use $time_local, $time_iso8601 or $msec", known[nginxTimeLocal] || known[nginxTimeISO] || known[nginxMsec]},
		{"request: use $request, or $request_method and $request_uri", known[nginxRequest] || known[nginxMethod] && known[nginxTarget]},
		{"status: use $status", known[nginxStatus]},
	} {
		if !part.has {
			return nil, model.Invalid("--log-format", "has no %s", part.text)
		}
	}
	f.hasAgent = known[nginxAgent]
	return f, nil
}

func (f *nginxFormat) addText(text string) {
	if n := len(f.variables); n > 0 {
		f.variables[n-1].after += text
	} else {
		f.before += text
	}
}

// nginxName reads a variable's name after its $: name or {name}.
func nginxName(s string) (name, rest string, err error) {
	if inner, ok := strings.CutPrefix(s, "{"); ok {
		if name, rest, ok = strings.Cut(inner, "}"); !ok {
			return "", "", model.Invalid("--log-format", "has a ${ without }")
		}
		return name, rest, nil
	}
	end := 0
	for end < len(s) && (s[end] == '_' || 'a' <= s[end]|0x20 && s[end]|0x20 <= 'z' || '0' <= s[end] && s[end] <= '9') {
		end++
	}
	if end == 0 {
		return "", "", model.Invalid("--log-format", "has a $ without the name of a variable")
	}
	return s[:end], s[end:], nil
}

// nginxDirective returns the format of a whole log_format directive, whose strings nginx
// joins: log_format NAME [escape=…] 'string' …; Any other text is the format itself.
func nginxDirective(text string) (string, error) {
	rest, ok := strings.CutPrefix(strings.TrimSpace(text), "log_format ")
	if !ok {
		return text, nil
	}
	rest = strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(rest), ";"))
	_, rest, _ = strings.Cut(rest, " ") // the name
	if rest = strings.TrimSpace(rest); strings.HasPrefix(rest, "escape=") {
		_, rest, _ = strings.Cut(rest, " ")
	}
	var format strings.Builder
	for rest = strings.TrimSpace(rest); rest != ""; rest = strings.TrimSpace(rest) {
		quote := rest[0]
		if quote != '\'' && quote != '"' {
			return "", model.Invalid("--log-format", "has an unquoted string in its log_format directive: %s", clip(rest))
		}
		end := 1
		for end < len(rest) && rest[end] != quote {
			if rest[end] == '\\' && end+1 < len(rest) && (rest[end+1] == quote || rest[end+1] == '\\') {
				end++
			}
			format.WriteByte(rest[end])
			end++
		}
		if end >= len(rest) {
			return "", model.Invalid("--log-format", "has a string without end in its log_format directive: %s", clip(rest))
		}
		rest = rest[end+1:]
	}
	return format.String(), nil
}

// nginxRequestLine is what a line's variables tell together.
type nginxRequestLine struct {
	LogLine
	target, args, forwarded, server string
	hasTime                         bool
}

// parse reads a line.
func (f *nginxFormat) parse(line string) (l LogLine, err error) {
	rest, ok := strings.CutPrefix(line, f.before)
	if !ok {
		return l, malformed(fmt.Sprintf("it does not begin with %q", f.before))
	}
	var n nginxRequestLine
	for i := range f.variables[:f.needed] {
		v := &f.variables[i]
		text, after, ended := f.cut(rest, i)
		if !ended && i+1 < f.needed {
			return l, malformed(fmt.Sprintf("%q is not found after $%s", v.after, v.name))
		}
		n.Cut = !ended
		if rest = after; v.field == nginxSkipped {
			continue
		}
		if strings.IndexByte(text, '\\') >= 0 {
			text = unescape(text)
		}
		if text == "-" {
			text = ""
		}
		if err := n.read(v, text); err != nil {
			return l, err
		}
	}
	if !n.hasTime {
		return l, malformed("it has no time")
	}
	if n.target != "" {
		n.Target = withQuery(n.target, n.args)
	}
	if n.Host == "" {
		n.Host = n.server
	}
	n.Address = clientBehind(n.Address, n.forwarded)
	if n.Address == "" {
		return l, malformed("it has no address of a client")
	}
	n.NoAgent = !f.hasAgent
	return n.LogLine, nil
}

// cut cuts off the value of a variable, at the text that follows it, and the text.
func (f *nginxFormat) cut(s string, i int) (value, rest string, ended bool) {
	after := f.variables[i].after
	if after == "" {
		if i+1 == len(f.variables) {
			return s, "", true
		}
		// The path of a target follows.
		at := strings.IndexByte(s, '/')
		if at < 0 {
			return s, "", false
		}
		return s[:at], s[at:], true
	}
	if after[0] != '"' {
		// Spaces are part of these, and may stand after them.
		begin := 0
		switch f.variables[i].field {
		case nginxTimeLocal:
			begin = min(len(s), logTimeLength)
		case nginxRequest:
			begin = max(0, strings.Index(s, " HTTP/")+1)
		}
		at := strings.Index(s[begin:], after)
		if at < 0 {
			return s, "", false
		}
		return s[:begin+at], s[begin+at+len(after):], true
	}
	// A quote in a value is escaped, unless escape=none says that it is not.
	for at := 0; at < len(s); at++ {
		switch {
		case s[at] == '\\':
			at++
		case s[at] == '"' && strings.HasPrefix(s[at:], after):
			return s[:at], s[at+len(after):], true
		}
	}
	return s, "", false
}

func (n *nginxRequestLine) read(v *nginxVariable, text string) error {
	ok := true
	switch v.field {
	case nginxRemote:
		if n.Address, ok = clientAddress(text); text == "" {
			ok = true
		}
	case nginxForwarded:
		n.forwarded = text
	case nginxTimeLocal, nginxTimeISO, nginxMsec:
		if n.hasTime && v.field != nginxMsec {
			break // the more exact one is known
		}
		t, isTime := parseTime(text)
		if ok = isTime; !ok {
			break
		}
		at, err := checkTime("time", t)
		if err != nil {
			return err
		}
		n.At, n.hasTime = at, true
	case nginxRequest:
		n.readRequest(text)
	case nginxMethod:
		n.Method = text
	case nginxTarget:
		if n.target == "" || v.name == "request_uri" {
			n.target = text
		}
	case nginxArgs:
		n.args = text
	case nginxStatus:
		ok = n.readStatus(text)
	case nginxReferrer:
		n.Referrer = text
	case nginxAgent:
		n.UserAgent = text
	case nginxHost:
		n.Host = text
	case nginxServer:
		n.server = text
	}
	if !ok {
		return malformed(fmt.Sprintf("$%s is %q", v.name, clip(text)))
	}
	return nil
}
