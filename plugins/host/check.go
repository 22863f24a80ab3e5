package host

import (
	"fmt"

	"github.com/goalgraph/goalgraph/plugins/check"
	"github.com/goalgraph/goalgraph/plugins/pb"
)

// maxName is the maximum length of names quoted in messages, in characters.
const maxName = 100

// filterInput is the input that the filter types are the fields of.
const filterInput = "FilterInput"

// read checks a plugin's description on its own. It returns the filter types and the
// names that their SDL defines.
func (w *worker) read(d *pb.DescribeResponse) ([]*Type, []string, error) {
	if err := check.Name(d); err != nil {
		return nil, nil, err
	}
	var types []*Type
	var definitions []string
	for _, described := range d.GetTypes() {
		t, own, err := check.Type(described)
		if err != nil {
			return nil, nil, fmt.Errorf("filter type %q: %w", clean(described.GetName(), maxName), err)
		}
		types = append(types, &Type{
			Name: t.Name, Title: t.Title, Description: t.Description, Rule: t.Rule, SDL: t.SDL, Input: t.Input,
			Dimension: t.Dimension, None: t.None, Arguments: t.Arguments, Plugin: d.GetName(), Computed: described.GetComputed(),
			version: d.GetVersion(), merges: described.GetMerges(), worker: w,
		})
		definitions = append(definitions, own...)
	}
	return types, definitions, nil
}

// names holds the names in use, with the name of the plugin that has each.
type names struct {
	taken                       func(definition string) bool
	plugins, types, definitions map[string]string
}

func newNames(taken func(string) bool) *names {
	return &names{taken, map[string]string{}, map[string]string{}, map[string]string{}}
}

// take reserves the names of a plugin, or returns which one is already in use.
func (n *names) take(w *worker) error {
	if _, found := n.plugins[w.name]; found {
		return fmt.Errorf("there is already a plugin named %s", w.name)
	}
	n.plugins[w.name] = w.name
	for _, t := range w.types {
		switch other, found := n.types[t.Name]; {
		case found && other == w.name:
			return fmt.Errorf("filter type %s is described twice", t.Name)
		case found:
			return fmt.Errorf("filter type %s already belongs to the plugin %s", t.Name, other)
		}
		n.types[t.Name] = w.name
	}
	for _, definition := range w.definitions {
		if other, found := n.definitions[definition]; found {
			return fmt.Errorf("the name %s in its SDL is already used by the plugin %s", definition, other)
		}
		if n.taken(definition) || definition == filterInput {
			return fmt.Errorf("the name %s in its SDL is already used by the schema", definition)
		}
		n.definitions[definition] = w.name
	}
	return nil
}
