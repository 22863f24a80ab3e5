package check

import (
	"fmt"
	"maps"
	"strings"

	"github.com/vektah/gqlparser/v2/ast"

	"github.com/goalgraph/goalgraph/plugins/pb"
)

// hostile is a filter that tries a plugin.
type hostile struct {
	// what it is, for findings.
	what string
	args string
	// refuse is the argument that it must be refused for, empty where it may
	// compile.
	refuse string
}

// checkLimits asks for what no client should: arguments of the wrong types, huge
// ones, and odd ones. Servers hold what clients send against the SDL before. But a
// definition that was saved under an older SDL comes as it was.
func (t *typeChecker) checkLimits(r *Result) {
	hostiles := t.hostiles()
	refused := 0
	for _, refusal := range t.refused {
		t.checkRefusal(r, refusal.args, refusal.refused, "")
	}
	for _, h := range hostiles {
		if t.faults >= maxFaults || t.ctx.Err() != nil {
			break
		}
		answer, f := t.compile(t.Name, h.args)
		switch {
		case f != nil:
			r.find(f.advice, "%s %s.", capital(h.what), f.problem)
		case answer.refused != nil:
			refused++
			t.checkRefusal(r, h.args, answer.refused, h.refuse)
		case h.refuse != "":
			r.find("Refuse what the SDL does not allow, with the argument's path. Filters saved under an older version of the plugin arrive unchanged, and must not match something else.",
				"%s compiles to %s: %s.", capital(h.what), excerpt(answer.predicate.String()), excerpt(h.args))
		case t.badLabels:
		default:
			if bad := badLine(answer.label, maxLine); bad != "" {
				r.find(fmt.Sprintf("Make the label a single line of at most %d characters without control characters. If there are many values, name some and count the others.", maxLine),
					"%s has a label that %s: %q.", capital(h.what), bad, excerpt(answer.label))
			}
		}
	}
	r.Tried = fmt.Sprintf("%d wrong, huge and odd filters, %d of them refused", len(hostiles), refused)
}

// checkRefusal checks that a refusal says what is wrong and where. about is the
// argument that it must be about, empty for any.
func (t *typeChecker) checkRefusal(r *Result, args string, e *pb.ArgumentError, about string) {
	if bad := badLine(e.GetMessage(), maxLine); bad != "" {
		r.find(fmt.Sprintf("Say what is wrong and what to do, in a single line of at most %d characters. The person who wrote the filter sees it.", maxLine),
			"The refusal of %s %s: %q.", excerpt(args), bad, excerpt(e.GetMessage()))
		return
	}
	first := e.GetPath()
	if at := strings.IndexAny(first, ".["); at >= 0 {
		first = first[:at]
	}
	switch {
	case about != "" && first != about && !strings.Contains(e.GetMessage(), about):
		r.find("Give the refusal the path of the argument, for example \"is[0]\". Clients show the message at that argument.",
			"The refusal of %s does not name %s: %s.", excerpt(args), about, words(e))
	case about == "" && first != "" && t.generator.input.Fields.ForName(first) == nil:
		r.find("Begin the path with an argument of the input, for example \"is[0]\". Leave it empty if the filter as a whole is wrong.",
			"The refusal of %s names a path that is not in %s: %s.", excerpt(args), t.Input, words(e))
	}
}

const unknown = "noSuchArgument"

// hostiles returns filters that differ from one that compiles in one argument.
func (t *typeChecker) hostiles() (list []hostile) {
	input := t.generator.input
	oneOf := input.Directives.ForName("oneOf") != nil
	with := func(name string, value any) string {
		args := map[string]any{}
		if !oneOf {
			maps.Copy(args, t.base(name))
		}
		args[name] = value
		return encode(args)
	}
	list = append(list,
		hostile{"a filter without arguments", "{}", ""},
		hostile{"an argument that the SDL does not have", with(unknown, 1), unknown},
	)
	for _, field := range input.Fields {
		for what, value := range wrong(field.Type) {
			list = append(list, hostile{fmt.Sprintf("%s for %s (%s)", what, field.Name, field.Type), with(field.Name, value), field.Name})
		}
		for what, value := range odd(field.Type) {
			list = append(list, hostile{fmt.Sprintf("%s for %s", what, field.Name), with(field.Name, value), ""})
		}
	}
	return list
}

// base returns arguments that compile, with the one named if there are.
func (t *typeChecker) base(name string) map[string]any {
	for _, a := range t.accepted {
		if args := decode(a.args); args[name] != nil {
			return args
		}
	}
	return decode(t.accepted[0].args)
}

// wrong returns values that are not of the type.
func wrong(typ *ast.Type) func(yield func(string, any) bool) {
	const depth = 1000
	deep := any(nil)
	for range depth {
		deep = []any{deep}
	}
	type value struct {
		what  string
		value any
	}
	values := []value{{"a list in a list in a list, 1,000 deep,", deep}}
	if typ.Elem != nil {
		values = append(values, value{"a number", 5}, value{"a text", "text"}, value{"a list with an object in it", []any{map[string]any{"a": 1}}})
	} else {
		switch typ.NamedType {
		case "String":
			values = append(values, value{"a number", 5}, value{"an object", map[string]any{"a": 1}})
		case "ID":
			values = append(values, value{"an object", map[string]any{"a": 1}})
		case "Int":
			values = append(values, value{"a text", "5"}, value{"a half", 2.5})
		case "Float":
			values = append(values, value{"a text", "5"}, value{"an object", map[string]any{"a": 1}})
		case "Boolean":
			values = append(values, value{"a text", "true"}, value{"a number", 1})
		default:
			values = append(values, value{"a number", 5}, value{"a text that is not one of its names", "no such name"})
		}
	}
	return func(yield func(string, any) bool) {
		for _, v := range values {
			if !yield(v.what, v.value) {
				return
			}
		}
	}
}

// odd returns values of the type that are seldom thought of.
func odd(typ *ast.Type) func(yield func(string, any) bool) {
	return func(yield func(string, any) bool) {
		element := typ
		for element.Elem != nil {
			element = element.Elem
		}
		list := func(values ...any) any {
			if typ.Elem == nil {
				return values[0]
			}
			return values
		}
		if typ.Elem != nil && !yield("an empty list", []any{}) {
			return
		}
		switch element.NamedType {
		case "String", "ID":
			texts := []struct{ what, text string }{
				{"an empty text", ""},
				{"a text of 900,000 bytes", strings.Repeat("a", 900_000)},
				{"a text of 100,000 stars", strings.Repeat("*a", 100_000)},
				{"a text with quotes, brackets and backslashes", `"')(]}\ "`},
				{"a text with a line break and a zero byte", "a\nb\x00c"},
				{"a text beyond ASCII", "日本 é 👩‍👩‍👧 \u202e"},
			}
			for _, t := range texts {
				if !yield(t.what, list(t.text)) {
					return
				}
			}
			if typ.Elem == nil {
				return
			}
			const many = 50_000
			values := make([]any, many)
			for i := range values {
				values[i] = fmt.Sprintf("value %d", i)
			}
			yield("a list of 50,000 texts", values)
		case "Int":
			_ = yield("the largest number", list(1<<31-1)) && yield("the smallest number", list(-1<<31))
		case "Float":
			_ = yield("a very large number", list(1e308)) && yield("a very small number", list(-1e308))
		}
	}
}
