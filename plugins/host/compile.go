package host

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/goalgraph/goalgraph/model"
	"github.com/goalgraph/goalgraph/model/filter"
	"github.com/goalgraph/goalgraph/plugins"
	"github.com/goalgraph/goalgraph/plugins/pb"
)

// Limits of what passes between host and plugin.
const (
	maxArgs   = 1 << 20 // bytes
	maxLabel  = 1000    // characters; longer ones are cut
	maxReason = 4000
)

// Compiled is what a filter means.
type Compiled struct {
	// Predicate is simplified.
	Predicate filter.Expr
	// Label is the filter in words, a single line of at most 1,000 characters.
	Label string
	// Warnings say what is probably a mistake. A path leads to the argument from the filter: "country.is[0]", in a group
	// "anyOf[1].country.is[0]".
	Warnings []plugins.Warning
	// condition is the plugin's predicate, if Predicate also has a filter.Computed.
	condition filter.Expr
}

// Compile returns what the filter means. The error is that of ctx or a model.Error:
// BadInput if the plugin refuses the arguments, with the type's name and the path of
// the argument as its field ("country.is[0]", in a group "anyOf[1].country.is[0]");
// Unavailable if the type is not loaded or its plugin cannot answer.
func (s *Set) Compile(ctx context.Context, spec model.FilterSpec) (Compiled, error) {
	if !model.IsFilterType(spec.Type) {
		return s.compileGroup(ctx, &spec)
	}
	t, err := s.loaded(spec.Type)
	if err != nil {
		return Compiled{}, err
	}
	args, err := canonical(spec)
	if err != nil {
		return Compiled{}, err
	}
	return s.compile(ctx, t, args)
}

func (s *Set) loaded(name string) (*Type, error) {
	t, ok := s.byName[name]
	if !ok {
		return nil, model.Errorf(model.Unavailable, "filter type %s is not loaded", clean(name, 100))
	}
	return t, nil
}

// canonical returns the arguments as canonical JSON, so that equal ones are
// remembered once.
func canonical(spec model.FilterSpec) (string, error) {
	if len(spec.Args) > maxArgs {
		return "", model.Invalid(spec.Type, "the filter is %d bytes long; the maximum is %d", len(spec.Args), maxArgs)
	}
	if !utf8.Valid(spec.Args) {
		return "", model.Invalid(spec.Type, "the arguments are not valid UTF-8")
	}
	decoder := json.NewDecoder(bytes.NewReader(spec.Args))
	decoder.UseNumber()
	var args map[string]any
	if err := decoder.Decode(&args); err != nil || args == nil || decoder.More() {
		return "", model.Invalid(spec.Type, "the arguments are not a JSON object")
	}
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(args); err != nil {
		return "", fmt.Errorf("encoding the arguments of %s: %w", spec.Type, err)
	}
	return strings.TrimSuffix(b.String(), "\n"), nil
}

// compile compiles canonical arguments.
func (s *Set) compile(ctx context.Context, t *Type, args string) (Compiled, error) {
	q := question{typ: t, generation: t.worker.generation(), active: args}
	a, err := s.host.memory.recall(q, func() (*answer, error) {
		response, err := call(ctx, t.worker,
			func(c pb.FilterPluginClient, ctx context.Context, q *pb.CompileRequest) (*pb.CompileResponse, error) {
				return c.Compile(ctx, q)
			}, &pb.CompileRequest{Type: t.Name, Args: args})
		if err != nil {
			return nil, err
		}
		if refused := response.GetError(); refused != nil {
			return &answer{refused: argumentError(t, refused), bytes: len(refused.GetMessage())}, nil
		}
		compiled := response.GetCompiled()
		if compiled == nil {
			return nil, t.worker.nonsense("Compile answered neither a predicate nor an error")
		}
		predicate, err := filter.Parse(compiled.GetPredicate())
		if err != nil {
			return nil, t.worker.nonsense("Compile answered a predicate that does not parse: %v", err)
		}
		if len(filter.Computations(predicate)) > 0 {
			return nil, t.worker.nonsense("Compile answered a predicate with %q, which is the host's to make", "computed")
		}
		label := clean(compiled.GetLabel(), maxLabel)
		if label == "" {
			label = t.Title
		}
		answered := Compiled{Predicate: filter.Simplify(predicate), Label: label, Warnings: warningsOf(t, compiled.GetWarnings())}
		if t.Computed {
			answered.condition = answered.Predicate
			answered.Predicate = filter.Simplify(filter.And{answered.condition, filter.Computed{Key: computationKey(t, args)}})
		}
		return &answer{compiled: answered, bytes: 2*treeBytes(answered.Predicate) + len(label) + warningBytes(answered.Warnings)}, nil
	})
	if err != nil {
		return Compiled{}, err
	}
	return a.compiled, a.refused
}

// nonsense returns the error for an invalid answer of a plugin.
func (w *worker) nonsense(format string, args ...any) error {
	cause := fmt.Errorf(format, args...)
	w.log.Error("a plugin gave an invalid answer", "error", cause)
	return w.unavailable(cause)
}

// argumentError returns a plugin's argument error under the type's name.
func argumentError(t *Type, e *pb.ArgumentError) error {
	message := clean(e.GetMessage(), maxLabel)
	if message == "" {
		message = "the filter is not accepted"
	}
	return model.Under(t.Name, &model.Error{Code: model.BadInput, Field: clean(e.GetPath(), 200), Message: message})
}

// warningsOf returns a plugin's warnings under the type's name.
func warningsOf(t *Type, said []*pb.Warning) (warnings []plugins.Warning) {
	for _, w := range said[:min(len(said), plugins.MaxWarnings)] {
		if message := clean(w.GetMessage(), maxLabel); message != "" {
			warnings = append(warnings, plugins.Warning{Code: plugins.WarningCodeOf(w.GetCode()), Path: plugins.Under(t.Name, clean(w.GetPath(), 200)), Message: message})
		}
	}
	return warnings
}

// warningBytes is about how many bytes warnings take.
func warningBytes(warnings []plugins.Warning) (bytes int) {
	for _, w := range warnings {
		bytes += 50 + len(w.Path) + len(w.Message)
	}
	return bytes
}

// Under returns warnings with a prefix before their paths.
func Under(prefix string, warnings []plugins.Warning) []plugins.Warning {
	moved := slices.Clone(warnings)
	for i := range moved {
		moved[i].Path = plugins.Under(prefix, moved[i].Path)
	}
	return moved
}

// clean returns text from a plugin or a client as one bounded line.
func clean(text string, most int) string {
	text = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(text, "�"))
	text = strings.TrimSpace(text)
	if utf8.RuneCountInString(text) > most {
		text = string([]rune(text)[:most-1]) + "…"
	}
	return text
}
