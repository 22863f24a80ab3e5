package check

import (
	"fmt"

	"github.com/vektah/gqlparser/v2/ast"

	"github.com/goalgraph/goalgraph/model/filter"
	"github.com/goalgraph/goalgraph/plugins"
	"github.com/goalgraph/goalgraph/plugins/pb"
)

// Limits of the arguments of which something is said: how deep in inputs they stand, and how many fields are looked at.
const (
	maxInputs    = 5
	maxArguments = 200
)

// arguments returns what is said of each argument of a filter type: of those that the plugin names what it says, and
// where it names none, of texts that they are values of the dimension. The error says what is wrong in what it says.
func arguments(t plugins.Description, said []*pb.Argument) ([]plugins.Argument, error) {
	l := listing{definitions: inputs(t.SDL)}
	l.add(l.definitions[t.Input], "", 1)
	list := l.list
	places := map[string]int{}
	for i, argument := range list {
		places[argument.Path] = i
		if len(said) == 0 && argument.isText && t.Dimension != (filter.Field{}) {
			list[i].Suggest = plugins.SuggestValues
		}
	}
	seen := map[string]bool{}
	for _, s := range said {
		i, found := places[s.GetPath()]
		argument := plugins.Argument{Path: s.GetPath(), Suggest: plugins.SuggestionOf(s.GetSuggest()), Key: s.GetKey(), KeyPath: s.GetKeyPath()}
		_, keyFound := places[argument.KeyPath]
		isKeyed := argument.Key != "" || argument.KeyPath != ""
		switch {
		case !found:
			return nil, fmt.Errorf("the input has none at the path %.100q", s.GetPath())
		case seen[argument.Path]:
			return nil, fmt.Errorf("%s is named twice", argument.Path)
		case argument.KeyPath != "" && (!keyFound || argument.KeyPath == argument.Path):
			return nil, fmt.Errorf("the key of %s is that of another argument, and the input has none at the path %.100q", argument.Path, argument.KeyPath)
		case isKeyed && (argument.Key != "") == (argument.KeyPath != ""), isKeyed && argument.Suggest != plugins.SuggestValues:
			return nil, fmt.Errorf("%s: values have a key or the path of one, and nothing else has", argument.Path)
		case len(argument.Key) > maxName:
			return nil, fmt.Errorf("the key of %s is longer than %d bytes", argument.Path, maxName)
		}
		seen[argument.Path] = true
		list[i].Argument = argument
	}
	arguments := make([]plugins.Argument, len(list))
	for i := range list {
		arguments[i] = list[i].Argument
	}
	return arguments, nil
}

// listedArgument is an argument, and whether it is a text or a list of them.
type listedArgument struct {
	plugins.Argument
	isText bool
}

// listing lists the arguments of an input.
type listing struct {
	definitions map[string]*ast.Definition
	list        []listedArgument
	// visited counts the fields that were looked at: inputs may stand in each other.
	visited int
}

// add lists the arguments of an input that stands at a path and so many levels deep, and of the inputs in it.
func (l *listing) add(input *ast.Definition, path string, level int) {
	for _, field := range input.Fields {
		if l.visited++; l.visited > maxArguments {
			return
		}
		at := plugins.Under(path, field.Name)
		if inner := l.definitions[field.Type.Name()]; inner == nil || inner.Kind != ast.InputObject {
			l.list = append(l.list, listedArgument{plugins.Argument{Path: at}, field.Type.Name() == "String"})
		} else if level < maxInputs {
			l.add(inner, at, level+1)
		}
	}
}
