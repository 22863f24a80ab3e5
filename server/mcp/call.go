package mcp

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/goalgraph/goalgraph/graph/transport"
)

// question returns what a call of a tool asks, and by which of its operations. The error is for who called.
func (t *tool) question(arguments json.RawMessage) (transport.Question, *operation, error) {
	given := map[string]any{}
	if len(arguments) > 0 {
		decoder := json.NewDecoder(bytes.NewReader(arguments))
		decoder.UseNumber()
		if err := decoder.Decode(&given); err != nil {
			return transport.Question{}, nil, errors.New("the arguments are no JSON object: send one, with the properties of the tool's input schema")
		}
	}
	chosen := slices.IndexFunc(t.operations, func(o operation) bool { return len(o.missing(given)) == 0 })
	if chosen < 0 {
		return transport.Question{}, nil, t.incomplete(given)
	}
	o := &t.operations[chosen]
	for _, name := range slices.Sorted(maps.Keys(given)) {
		if _, takes := o.arguments[name]; takes {
			continue
		}
		if given[name] != nil {
			return transport.Question{}, nil, t.surplus(name, o)
		}
		delete(given, name)
	}
	q := transport.Question{Document: t.document, Operation: o.name, Variables: given}
	if o.takesInput {
		q.Variables = map[string]any{"input": given}
	}
	return q, o, nil
}

// missing returns the arguments that must be given and are not.
func (o *operation) missing(given map[string]any) (names []string) {
	for _, name := range slices.Sorted(maps.Keys(o.arguments)) {
		if o.arguments[name] && given[name] == nil {
			names = append(names, name)
		}
	}
	return names
}

// incomplete is the error of arguments that are too few for each operation.
func (t *tool) incomplete(given map[string]any) error {
	ways := make([]string, len(t.operations))
	for i := range t.operations {
		ways[i] = strings.Join(t.operations[i].missing(given), ", ")
	}
	return fmt.Errorf("arguments are missing: give %s", strings.Join(ways, "; or "))
}

// surplus is the error of an argument that the operation does not take.
func (t *tool) surplus(name string, o *operation) error {
	for i := range t.operations {
		if _, takes := t.operations[i].arguments[name]; takes {
			decisive := o.missing(nil)
			return fmt.Errorf("%s: does not go together with %s: leave out one of them", name, strings.Join(decisive, ", "))
		}
	}
	return fmt.Errorf("%.100q: is no argument of %s; these are %s", name, t.name, strings.Join(t.arguments(), ", "))
}

// arguments returns the names of all arguments.
func (t *tool) arguments() []string {
	all := map[string]bool{}
	for i := range t.operations {
		maps.Copy(all, t.operations[i].arguments)
	}
	return slices.Sorted(maps.Keys(all))
}
