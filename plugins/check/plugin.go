package check

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/goalgraph/goalgraph/model/filter"
	"github.com/goalgraph/goalgraph/plugins"
	"github.com/goalgraph/goalgraph/plugins/pb"
)

// What a server gives a plugin. The rules are no stricter than it, but for the
// speed and the labels of small filters.
const (
	startTimeout = 10 * time.Second
	callTimeout  = time.Second
	// maxLine bounds a label and a refusal, in characters; longer ones are cut.
	maxLine = 1000
	// maxArgs bounds the arguments that a plugin is asked with, in bytes.
	maxArgs = 1 << 20
)

// Options are what a plugin is checked against. The zero value is what any server
// has.
type Options struct {
	// TakenType and TakenName tell that a filter type, or a definition in the
	// schema, of the name is there without the plugin; nil for none.
	TakenType, TakenName func(name string) bool
	// Deadline bounds each call, as servers do by default: 1 s. Longer ones are for
	// slow machines, race detectors and debuggers.
	Deadline time.Duration
}

// Plugin checks a plugin against all rules. It takes some seconds at most, but for
// a plugin that does not answer. When ctx ends it stops, and reports what it found
// until then.
func Plugin(ctx context.Context, s Subject, o Options) *Report {
	if o.Deadline == 0 {
		o.Deadline = callTimeout
	}
	c := &checker{ctx: ctx, subject: s, options: o, report: &Report{}}
	c.run()
	return c.report
}

// checker is one check under way.
type checker struct {
	ctx     context.Context
	subject Subject
	options Options
	report  *Report

	client client
	// described is what the plugin said when it was started first.
	described *pb.DescribeResponse
	// lasting is set where a plugin that ended is not started again.
	lasting bool
	// faults counts the calls that broke the plugin or that it did not answer.
	faults int
}

// maxFaults is after how many the rest of a filter type is not looked at: each
// may have taken the time of a deadline.
const maxFaults = 5

func (c *checker) add(r *Result) { c.report.Results = append(c.report.Results, *r) }

func (c *checker) run() {
	began := time.Now()
	r := &Result{Rule: Start}
	if err := c.start(); err != nil {
		r.find("Start it by hand with "+plugins.CookieKey+"="+plugins.Cookie+" in its environment: it must print one line, 1|1|unix|PATH|grpc, to its standard output, "+
			"and then serve the protocol and grpc.health.v1 there. This report shows its standard error.", "It does not start: %v.", plain(err.Error()))
		c.add(r)
		return
	}
	defer func() { c.client.stop() }() // whichever runs by then
	c.report.Plugin, c.report.Version = c.described.GetName(), c.described.GetVersion()
	if c.subject.path != "" {
		r.Tried = fmt.Sprintf("it answers %s after its start", brief(time.Since(began)))
		c.add(r)
	}

	types := make([]string, len(c.described.GetTypes()))
	for i, t := range c.described.GetTypes() {
		types[i] = t.GetName()
	}
	r = &Result{Rule: Description, Tried: "filter types: " + excerpt(strings.Join(types, ", "))}
	c.checkPlugin(r)
	c.add(r)
	for _, t := range c.described.GetTypes() {
		if c.ctx.Err() != nil {
			return
		}
		c.checkType(t)
	}
	if c.subject.path != "" {
		c.checkEnd()
	}
}

// start starts the plugin, again where it runs.
func (c *checker) start() error {
	if c.client != nil {
		c.client.stop()
	}
	client, err := c.subject.start(c.ctx)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(c.ctx, startTimeout)
	defer cancel()
	described, err := client.Describe(ctx, &pb.DescribeRequest{})
	if err != nil {
		client.stop()
		return fmt.Errorf("it does not describe itself: %w", err)
	}
	c.client = client
	if c.described != nil && !proto.Equal(c.described, described) {
		return errors.New("it describes itself differently than at an earlier start")
	}
	c.described = described
	return nil
}

func (c *checker) checkPlugin(r *Result) {
	if err := Name(c.described); err != nil {
		r.find("Stay within these limits in Describe. No server loads the plugin as it is.", "%s.", capital(err.Error()))
	}
	if c.described.GetVersion() == "" {
		r.find(`Give it a version, for example "1.0.0", and a new one whenever its answers change. People see the version under plugins, and servers keep answers by version.`,
			"The plugin has no version.")
	}
	seen := map[string]string{}
	for _, t := range c.described.GetTypes() {
		names := []string{t.GetName()}
		if c.options.TakenType != nil && c.options.TakenType(t.GetName()) || seen[t.GetName()] != "" {
			r.find("Choose another name. A name belongs to the first type that has it.", "There is already a filter type %s.", t.GetName())
		}
		if _, definitions, err := Type(t); err == nil {
			names = append(names, definitions...)
			for _, name := range definitions {
				if c.options.TakenName != nil && c.options.TakenName(name) || seen[name] != "" {
					r.find("Choose another name. Each name has one definition in the schema.", "The schema already uses the name %s.", name)
				}
			}
		}
		for _, name := range names {
			seen[name] = t.GetName()
		}
	}
}

// fault is a call that was not answered: what happened, and what to do.
type fault struct{ problem, advice string }

func (f *fault) Error() string { return f.problem }

// report writes the fault into the result.
func (f *fault) report(r *Result, asked string) { r.find(f.advice, "%s %s.", asked, f.problem) }

// asked is what one call was asked, for findings.
func asked(method string, args ...string) string {
	for i, a := range args {
		args[i] = excerpt(a)
	}
	return method + "(" + strings.Join(args, ", ") + ")"
}

// call calls a method with the server's deadline.
func call[Q, A any](c *checker, method func(context.Context, Q) (A, error), q Q) (A, *fault) {
	ctx, cancel := context.WithTimeout(c.ctx, c.options.Deadline)
	defer cancel()
	answer, err := method(ctx, q)
	if err == nil {
		return answer, nil
	}
	c.faults++
	said := status.Convert(err)
	switch said.Code() {
	case codes.DeadlineExceeded, codes.Canceled:
		err = &fault{fmt.Sprintf("was not answered within %s", brief(c.options.Deadline)),
			"Answer quickly: compute from the arguments only, and refuse arguments that are too long. A server restarts a plugin that misses its deadline five times in a row."}
	case codes.Unavailable:
		problem := "ended the plugin"
		if c.lasting {
			c.faults = maxFaults
		} else if again := c.start(); again != nil {
			problem += ", which did not restart: " + plain(again.Error())
			c.faults = maxFaults
		}
		err = &fault{problem, "Refuse arguments that you cannot handle with an argument error. While a plugin restarts, its filters fail for everyone."}
	case codes.ResourceExhausted:
		err = tooLong("has an answer that is too large: " + plain(said.Message()))
	default:
		err = &fault{"failed: " + plain(said.Message()),
			`Refuse arguments with an argument error: in Go plugins.ArgError("path", "what to do"), in other languages the answer's field "error". Any other failure tells people to try again later.`}
	}
	f, _ := errors.AsType[*fault](err)
	return answer, f
}

func tooLong(problem string) *fault {
	return &fault{problem, fmt.Sprintf("Refuse arguments that would make a predicate longer than %d bytes.", filter.MaxText)}
}

// compiled is the answer to a filter.
type compiled struct {
	args      string
	predicate filter.Expr
	label     string
	warnings  []*pb.Warning
	// refused is set where the arguments were, and the others are not.
	refused *pb.ArgumentError
	took    time.Duration
}

// same tells whether two answers are the same.
func (a compiled) same(b compiled) bool {
	if a.refused != nil || b.refused != nil {
		return a.refused != nil && b.refused != nil && proto.Equal(a.refused, b.refused)
	}
	return a.predicate.String() == b.predicate.String() && a.label == b.label && slices.EqualFunc(a.warnings, b.warnings, func(x, y *pb.Warning) bool { return proto.Equal(x, y) })
}

// compile asks for a predicate and checks its form.
func (c *checker) compile(typ, args string) (compiled, *fault) {
	began := time.Now()
	response, f := call(c, c.client.Compile, &pb.CompileRequest{Type: typ, Args: args})
	if f != nil {
		return compiled{}, f
	}
	answer := compiled{args: args, took: time.Since(began), refused: response.GetError()}
	if answer.refused != nil {
		return answer, nil
	}
	if response.GetCompiled() == nil {
		return answer, &fault{"answered neither a predicate nor an error", "Fill one of the two fields of CompileResponse."}
	}
	if bytes := len(response.GetCompiled().GetPredicate()); bytes > filter.MaxText {
		return answer, tooLong(fmt.Sprintf("answered a predicate of %d bytes", bytes))
	}
	predicate, err := filter.Parse(response.GetCompiled().GetPredicate())
	if err != nil {
		return answer, &fault{fmt.Sprintf("answered a predicate that does not parse (%s): %s", plain(err.Error()), excerpt(response.GetCompiled().GetPredicate())),
			"Write predicates in the syntax of filter.proto, with the fields of sessions. In Go, the types of the package filter do so."}
	}
	answer.predicate, answer.label, answer.warnings = filter.Simplify(predicate), response.GetCompiled().GetLabel(), response.GetCompiled().GetWarnings()
	return answer, nil
}

// badLine says what keeps a text from being one line for people, empty for
// nothing.
func badLine(text string, most int) string {
	switch {
	case strings.TrimSpace(text) == "":
		return "is empty"
	case !utf8.ValidString(text):
		return "is not valid UTF-8"
	case strings.ContainsFunc(text, unicode.IsControl):
		return "is not a single line without control characters"
	case utf8.RuneCountInString(text) > most:
		return fmt.Sprintf("has %d characters", utf8.RuneCountInString(text))
	}
	return ""
}

// plain returns text as one line, for a message.
func plain(text string) string {
	text, _, _ = strings.Cut(text, "\ngoroutine ")
	text = strings.TrimRight(strings.Join(strings.Fields(text), " "), ".")
	if runes := []rune(text); len(runes) > 400 {
		text = string(runes[:400]) + "…"
	}
	return text
}

// excerpt returns the beginning of a text from or for the plugin.
func excerpt(text string) string {
	text = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(text, "�"))
	if runes := []rune(text); len(runes) > 120 {
		return string(runes[:120]) + "…"
	}
	return text
}

func capital(text string) string { return strings.ToUpper(text[:1]) + text[1:] }

// brief returns a duration with two digits or so.
func brief(d time.Duration) string {
	switch {
	case d >= time.Second:
		return d.Round(100 * time.Millisecond).String()
	case d >= 10*time.Millisecond:
		return d.Round(time.Millisecond).String()
	case d >= time.Millisecond:
		return d.Round(100 * time.Microsecond).String()
	}
	return d.Round(time.Microsecond).String()
}
