package check

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/goalgraph/goalgraph/model"
	"github.com/goalgraph/goalgraph/model/filter"
	"github.com/goalgraph/goalgraph/plugins"
	"github.com/goalgraph/goalgraph/plugins/pb"
)

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

// Name checks a plugin's name, its version, and that it has filter types, but not
// the types.
func Name(d *pb.DescribeResponse) error {
	switch name := d.GetName(); {
	case !pluginName.MatchString(name) || len(name) > maxName:
		return fmt.Errorf("the plugin's name %.100q must be 1 to %d letters, digits, dots, hyphens and underscores", name, maxName)
	case len(d.GetVersion()) > maxName || !utf8.ValidString(d.GetVersion()):
		return fmt.Errorf("the plugin's version is longer than %d bytes", maxName)
	case len(d.GetTypes()) == 0 || len(d.GetTypes()) > maxTypes:
		return fmt.Errorf("the plugin has %d filter types; it must have 1 to %d", len(d.GetTypes()), maxTypes)
	}
	return nil
}

// Type returns the filter type that is described, and the names that its SDL
// defines; or an error that says for its author why no server loads it.
func Type(d *pb.FilterType) (plugins.Description, []string, error) {
	t := plugins.Description{
		Name: d.GetName(), Title: strings.TrimSpace(d.GetTitle()), Description: strings.TrimSpace(d.GetDescription()),
		Rule: plugins.RuleOf(d.GetRule()), SDL: d.GetSdl(), Input: d.GetInput(), None: d.GetNone(),
	}
	refuse := func(format string, args ...any) (plugins.Description, []string, error) {
		return plugins.Description{}, nil, fmt.Errorf(format, args...)
	}
	switch {
	case !typeName.MatchString(t.Name) || len(t.Name) > maxName:
		return refuse("its name must be letters and digits, beginning with a lower-case letter")
	case !model.IsFilterType(t.Name):
		return refuse("its name is that of a group of filters; choose a name other than anyOf, allOf, not and segment")
	case t.Title == "":
		return refuse("it has no title")
	case len(t.Title) > maxTitle || strings.ContainsFunc(t.Title, unicode.IsControl) || !utf8.ValidString(t.Title):
		return refuse("the title must be a single line of at most %d bytes", maxTitle)
	case len(t.Description) > maxDescription || !utf8.ValidString(t.Description):
		return refuse("the description is longer than %d bytes", maxDescription)
	case t.Rule == "":
		return refuse("it has no merge rule")
	case len(t.SDL) > maxSDL:
		return refuse("the SDL is longer than %d bytes", maxSDL)
	case len(t.None) > maxName:
		return refuse("the value for none is longer than %d bytes", maxName)
	}
	if dimension := d.GetDimension(); dimension != "" {
		field, err := textField(dimension)
		if err != nil {
			return refuse("the dimension %.100q is not a text field of a session", dimension)
		}
		t.Dimension = field
	}
	definitions, err := checkSDL(t.Name, t.Input, t.SDL)
	if err != nil {
		return refuse("SDL: %w", err)
	}
	if t.Arguments, err = arguments(t, d.GetArguments()); err != nil {
		return refuse("arguments: %w", err)
	}
	return t, definitions, nil
}

// textField reads a text field as predicates write it.
func textField(text string) (filter.Field, error) {
	in, err := filter.Parse("(in " + text + ")")
	if err != nil {
		return filter.Field{}, err
	}
	if leaf, ok := in.(filter.In); ok && leaf.Field.String() == text {
		return leaf.Field, nil
	}
	return filter.Field{}, errors.New("not a field")
}
