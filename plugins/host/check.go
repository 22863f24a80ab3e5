package host

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
	"unicode/utf8"

	"github.com/goalgraph/goalgraph/model/filter"
	"github.com/goalgraph/goalgraph/plugins"
	"github.com/goalgraph/goalgraph/plugins/pb"
)

// names holds what is taken by the plugins that are loaded so far.
type names struct {
	taken       func(definition string) bool
	plugins     map[string]bool
	types       map[string]string // to the plugin's name
	definitions map[string]string
}

func newNames(taken func(string) bool) *names {
	return &names{taken, map[string]bool{}, map[string]string{}, map[string]string{}}
}

// Limits of what a plugin says of itself.
const (
	maxName        = 100
	maxTypes       = 200
	maxTitle       = 100
	maxDescription = 4000
	maxSDL         = 64 << 10
)

var (
	pluginName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]*$`)
	typeName   = regexp.MustCompile(`^[a-z][A-Za-z0-9]*$`)
)

// take checks what the plugin said of itself, and takes its names and types; or
// it takes nothing and says why.
func (w *worker) take(names *names) error {
	d := w.described
	name := d.GetName()
	switch {
	case !pluginName.MatchString(name) || len(name) > maxName:
		return fmt.Errorf("the plugin's name %q is not 1 to %d letters, digits, dots, hyphens and underscores", clean(name, maxName), maxName)
	case names.plugins[name]:
		return fmt.Errorf("there is a plugin %s already", name)
	case len(d.GetVersion()) > maxName || !utf8.ValidString(d.GetVersion()):
		return fmt.Errorf("the plugin's version is longer than %d bytes", maxName)
	case len(d.GetTypes()) == 0 || len(d.GetTypes()) > maxTypes:
		return fmt.Errorf("the plugin has %d filter types; 1 to %d are allowed", len(d.GetTypes()), maxTypes)
	}
	var types []*Type
	own := newNames(nil)
	for _, described := range d.GetTypes() {
		t, definitions, err := checkType(described)
		if err != nil {
			return fmt.Errorf("filter type %q: %w", clean(described.GetName(), maxName), err)
		}
		if other, found := names.types[t.Name]; found {
			return fmt.Errorf("filter type %s is the plugin %s's already", t.Name, other)
		}
		if _, found := own.types[t.Name]; found {
			return fmt.Errorf("filter type %s is described twice", t.Name)
		}
		own.types[t.Name] = name
		for _, definition := range definitions {
			other, found := names.definitions[definition]
			if _, twice := own.definitions[definition]; found || twice || names.taken(definition) || definition == filterInput {
				return fmt.Errorf("filter type %s: the name %s is taken%s", t.Name, definition, by(other))
			}
			own.definitions[definition] = name
		}
		t.Plugin, t.worker = name, w
		types = append(types, t)
	}
	names.plugins[name] = true
	for t := range own.types {
		names.types[t] = name
	}
	for definition := range own.definitions {
		names.definitions[definition] = name
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.name, w.types = name, types
	return nil
}

func by(plugin string) string {
	if plugin == "" {
		return ""
	}
	return " by the plugin " + plugin
}

// checkType returns the type that is described, and the names that its SDL
// defines.
func checkType(d *pb.FilterType) (*Type, []string, error) {
	t := &Type{
		Name: d.GetName(), Title: clean(d.GetTitle(), maxTitle), Description: strings.TrimSpace(d.GetDescription()),
		Rule: plugins.RuleOf(d.GetRule()), SDL: d.GetSdl(), Input: d.GetInput(), None: d.GetNone(), merges: d.GetMerges(),
	}
	switch {
	case !typeName.MatchString(t.Name) || len(t.Name) > maxName:
		return nil, nil, errors.New("a name is letters and digits that begin in lower case")
	case t.Title == "":
		return nil, nil, errors.New("it has no title")
	case len(t.Description) > maxDescription || !utf8.ValidString(t.Description):
		return nil, nil, fmt.Errorf("the description is longer than %d bytes", maxDescription)
	case t.Rule == "":
		return nil, nil, errors.New("it has no merge rule")
	case len(t.SDL) > maxSDL:
		return nil, nil, fmt.Errorf("the SDL is longer than %d bytes", maxSDL)
	case len(t.None) > maxName:
		return nil, nil, fmt.Errorf("what stands for none is longer than %d bytes", maxName)
	}
	if dimension := d.GetDimension(); dimension != "" {
		in, err := filter.Parse("(in " + dimension + ")")
		leaf, ok := in.(filter.In)
		if err != nil || !ok || leaf.Field.String() != dimension {
			return nil, nil, fmt.Errorf("the dimension %q is not a text field of a session", clean(dimension, maxName))
		}
		t.Dimension = leaf.Field
	}
	definitions, err := checkSDL(t.Name, t.Input, t.SDL)
	if err != nil {
		return nil, nil, fmt.Errorf("SDL: %w", err)
	}
	return t, definitions, nil
}
