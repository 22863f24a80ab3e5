package check

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/parser"
	"github.com/vektah/gqlparser/v2/validator"
)

// checkSDL checks the definitions of a filter type and returns their names. What
// the library's validator leaves out is checked here: kinds and names of the
// definitions, default values, oneOf members, and inputs that can never be given.
func checkSDL(typ, input, sdl string) ([]string, error) {
	source := &ast.Source{Name: typ, Input: sdl}
	document, err := parser.ParseSchema(source)
	if err != nil {
		return nil, err
	}
	if len(document.Extensions)+len(document.Schema)+len(document.SchemaExtension)+len(document.Directives) > 0 {
		return nil, errors.New("only input objects and enums are allowed")
	}
	prefix := strings.ToUpper(typ[:1]) + typ[1:]
	own := map[string]*ast.Definition{}
	var names []string
	for _, definition := range document.Definitions {
		switch {
		case definition.Kind != ast.InputObject && definition.Kind != ast.Enum:
			return nil, fmt.Errorf("%s: only input objects and enums are allowed", definition.Name)
		case !strings.HasPrefix(definition.Name, prefix):
			return nil, fmt.Errorf("%s: its name must begin with %s", definition.Name, prefix)
		case own[definition.Name] != nil:
			return nil, fmt.Errorf("%s is defined twice", definition.Name)
		}
		own[definition.Name] = definition
		names = append(names, definition.Name)
	}
	if d := own[input]; d == nil || d.Kind != ast.InputObject {
		return nil, fmt.Errorf("the input %.100q is not an input object in it", input)
	}
	for _, definition := range document.Definitions {
		if err := checkDefinition(definition, own); err != nil {
			return nil, fmt.Errorf("%s%w", definition.Name, err)
		}
	}
	for _, definition := range document.Definitions {
		if needs(definition.Name, definition.Name, own, map[string]bool{}) {
			return nil, fmt.Errorf("%s needs itself, so nobody can write it", definition.Name)
		}
	}
	// The rest is the validator's, in a schema such as the server's.
	whole, err := parser.ParseSchemas(validator.Prelude, &ast.Source{Input: "type Query { ok: Boolean }"}, source)
	if err != nil {
		return nil, err
	}
	if _, err := validator.ValidateSchemaDocument(whole); err != nil {
		return nil, err
	}
	return names, nil
}

func checkDefinition(definition *ast.Definition, own map[string]*ast.Definition) error {
	oneOf := false
	for _, directive := range definition.Directives {
		if directive.Name != "oneOf" || definition.Kind != ast.InputObject {
			return fmt.Errorf(": the directive @%s is not allowed", directive.Name)
		}
		oneOf = true
	}
	for _, value := range definition.EnumValues {
		if err := checkMember(value.Name, value.Directives); err != nil {
			return fmt.Errorf(".%w", err)
		}
	}
	seen := map[string]bool{}
	for _, field := range definition.Fields {
		if err := checkMember(field.Name, field.Directives); err != nil {
			return fmt.Errorf(".%w", err)
		}
		name := field.Type.Name()
		switch {
		case seen[field.Name]:
			return fmt.Errorf(".%s is defined twice", field.Name)
		case own[name] == nil && !slices.Contains([]string{"String", "Int", "Float", "Boolean", "ID"}, name):
			return fmt.Errorf(".%s: the type %s is neither built in nor defined here", field.Name, name)
		case oneOf && (field.Type.NonNull || field.DefaultValue != nil):
			return fmt.Errorf(".%s: a member of a oneOf must be nullable, without a default", field.Name)
		}
		seen[field.Name] = true
		if field.DefaultValue != nil {
			if err := checkDefault(field.DefaultValue, field.Type, own); err != nil {
				return fmt.Errorf(".%s: the default value: %w", field.Name, err)
			}
		}
	}
	return nil
}

func checkMember(name string, directives ast.DirectiveList) error {
	if strings.HasPrefix(name, "__") {
		return fmt.Errorf("%s: names that begin with __ are GraphQL's own", name)
	}
	for _, directive := range directives {
		if directive.Name != "deprecated" {
			return fmt.Errorf("%s: the directive @%s is not allowed", name, directive.Name)
		}
	}
	return nil
}

// checkDefault checks a default value against its type.
func checkDefault(value *ast.Value, typ *ast.Type, own map[string]*ast.Definition) error {
	if value.Kind == ast.Variable {
		return errors.New("a variable is not a value")
	}
	if value.Kind == ast.NullValue {
		if typ.NonNull {
			return fmt.Errorf("null is not a %s", typ)
		}
		return nil
	}
	if typ.Elem != nil {
		if value.Kind != ast.ListValue {
			return checkDefault(value, typ.Elem, own) // one value stands for a list of it
		}
		for _, child := range value.Children {
			if err := checkDefault(child.Value, typ.Elem, own); err != nil {
				return err
			}
		}
		return nil
	}
	wrong := fmt.Errorf("%s is not a %s", value, typ)
	if definition := own[typ.NamedType]; definition != nil {
		if definition.Kind == ast.Enum {
			if value.Kind != ast.EnumValue || definition.EnumValues.ForName(value.Raw) == nil {
				return wrong
			}
			return nil
		}
		return checkObject(value, definition, own, wrong)
	}
	kinds := map[string][]ast.ValueKind{
		"String":  {ast.StringValue, ast.BlockValue},
		"Int":     {ast.IntValue},
		"Float":   {ast.IntValue, ast.FloatValue},
		"Boolean": {ast.BooleanValue},
		"ID":      {ast.StringValue, ast.BlockValue, ast.IntValue},
	}
	if !slices.Contains(kinds[typ.NamedType], value.Kind) {
		return wrong
	}
	if typ.NamedType == "Int" {
		if _, err := strconv.ParseInt(value.Raw, 10, 32); err != nil {
			return wrong
		}
	}
	return nil
}

func checkObject(value *ast.Value, definition *ast.Definition, own map[string]*ast.Definition, wrong error) error {
	if value.Kind != ast.ObjectValue {
		return wrong
	}
	given := map[string]bool{}
	for _, child := range value.Children {
		field := definition.Fields.ForName(child.Name)
		if field == nil || given[child.Name] {
			return fmt.Errorf("%s.%s is unknown or appears twice", definition.Name, child.Name)
		}
		given[child.Name] = true
		if err := checkDefault(child.Value, field.Type, own); err != nil {
			return err
		}
	}
	for _, field := range definition.Fields {
		if field.Type.NonNull && field.DefaultValue == nil && !given[field.Name] {
			return fmt.Errorf("%s.%s is missing", definition.Name, field.Name)
		}
	}
	if definition.Directives.ForName("oneOf") != nil && (len(given) != 1 || value.Children[0].Value.Kind == ast.NullValue) {
		return fmt.Errorf("exactly one member of %s must be given", definition.Name)
	}
	return nil
}

// needs tells whether a value of the input at must hold a value of target.
func needs(at, target string, own map[string]*ast.Definition, seen map[string]bool) bool {
	if seen[at] {
		return false
	}
	seen[at] = true
	for _, field := range own[at].Fields {
		if !field.Type.NonNull || field.Type.Elem != nil || own[field.Type.NamedType] == nil {
			continue
		}
		if field.Type.NamedType == target || needs(field.Type.NamedType, target, own, seen) {
			return true
		}
	}
	return false
}

// inputs returns the definitions of an SDL that checkSDL passes, by name.
func inputs(sdl string) map[string]*ast.Definition {
	definitions := map[string]*ast.Definition{}
	document, err := parser.ParseSchema(&ast.Source{Input: sdl})
	if err != nil {
		return definitions
	}
	for _, definition := range document.Definitions {
		definitions[definition.Name] = definition
	}
	return definitions
}
