package mcp

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/vektah/gqlparser/v2/ast"
)

// properties are the schemas of the properties of an object, by their names. A schema is JSON Schema 2020-12, which a Go map
// encodes in the order of its keys: a list of tools is the same text each time.
type properties = map[string]any

// filterInput is the type of filters. Which filter types there are is up to plugins, which come and go: describe_site tells.
const filterInput = "FilterInput"

// argument is an argument of an operation.
type argument struct {
	name       string
	isRequired bool
	schema     properties
}

// argumentsOf returns the arguments of an operation: its variables or, where the only one is $input, the fields of that.
func argumentsOf(schema *ast.Schema, operation *ast.OperationDefinition) (arguments []argument, takesInput bool) {
	variables := operation.VariableDefinitions
	if len(variables) == 1 && variables[0].Variable == "input" {
		for _, field := range variables[0].Definition.Fields {
			arguments = append(arguments, argument{
				field.Name, field.Type.NonNull && field.DefaultValue == nil, valueSchema(schema, field.Type, field.Description, field.DefaultValue),
			})
		}
		return arguments, true
	}
	for _, variable := range variables {
		arguments = append(arguments, argument{
			variable.Variable, variable.Type.NonNull && variable.DefaultValue == nil,
			valueSchema(schema, variable.Type, commentOf(variable.Comment), variable.DefaultValue),
		})
	}
	return arguments, false
}

// commentOf returns the text of a comment, line by line.
func commentOf(comment *ast.CommentGroup) string {
	if comment == nil {
		return ""
	}
	lines := make([]string, len(comment.List))
	for i, line := range comment.List {
		lines[i] = strings.TrimSpace(line.Text())
	}
	return strings.Join(lines, "\n")
}

// inputSchema returns the schema of an object of arguments.
func inputSchema(arguments properties, required []string) properties {
	s := properties{"type": "object", "properties": arguments, "additionalProperties": false}
	if len(required) > 0 {
		s["required"] = required
	}
	return s
}

// valueSchema returns the schema of a value of an input type.
func valueSchema(schema *ast.Schema, t *ast.Type, description string, fallback *ast.Value) properties {
	s := typeSchema(schema, t)
	if description != "" {
		s["description"] = strings.ReplaceAll(description, "\n", " ")
	}
	if fallback != nil {
		if value, err := fallback.Value(nil); err == nil && value != nil && fmt.Sprint(value) != "" {
			s["default"] = value
		}
	}
	return s
}

// typeSchema returns the schema of an input type.
func typeSchema(schema *ast.Schema, t *ast.Type) properties {
	if t.Elem != nil {
		return properties{"type": "array", "items": typeSchema(schema, t.Elem)}
	}
	definition := schema.Types[t.NamedType]
	switch {
	case t.NamedType == filterInput:
		return properties{"type": "object", "minProperties": 1, "maxProperties": 1}
	case definition.Kind == ast.Enum:
		return properties{"type": "string", "enum": valuesOf(definition)}
	case definition.Kind != ast.InputObject:
		return scalarSchema(t.NamedType)
	}
	fields := properties{}
	var required []string
	for _, field := range definition.Fields {
		// Fields say by their names what they are; their descriptions are in the schema of GraphQL.
		fields[field.Name] = typeSchema(schema, field.Type)
		if field.Type.NonNull && field.DefaultValue == nil {
			required = append(required, field.Name)
		}
	}
	return inputSchema(fields, required)
}

// scalarSchema returns the schema of a scalar. What JSON has no type for is a string.
func scalarSchema(name string) properties {
	switch name {
	case "Int":
		return properties{"type": "integer"}
	case "Float":
		return properties{"type": "number"}
	case "Boolean":
		return properties{"type": "boolean"}
	case "Time":
		return properties{"type": "string", "format": "date-time"}
	case "Date":
		return properties{"type": "string", "format": "date"}
	case "JSON":
		return properties{}
	}
	return properties{"type": "string"}
}

func valuesOf(enum *ast.Definition) []any {
	values := make([]any, len(enum.EnumValues))
	for i, value := range enum.EnumValues {
		values[i] = value.Name
	}
	return values
}

// resultSchema returns the schema of the result of a tool.
func resultSchema(data properties) properties {
	texts := properties{"type": "array", "items": properties{"type": "string"}}
	return properties{"type": "object", "properties": properties{
		"data": properties{"type": "object", "properties": data}, "problems": texts, "untrusted": properties{"type": "object"},
	}}
}

// outputOf returns the schemas of the fields that are selected, and the paths of the texts in them.
func outputOf(schema *ast.Schema, selections ast.SelectionSet) (fields properties, texts []string) {
	fields = properties{}
	for _, selection := range selections {
		var inner properties
		var found []string
		switch s := selection.(type) {
		case *ast.Field:
			inner, found = fieldOf(schema, s)
		case *ast.InlineFragment:
			inner, found = outputOf(schema, s.SelectionSet)
		case *ast.FragmentSpread:
			inner, found = outputOf(schema, s.Definition.SelectionSet)
		}
		for name, s := range inner {
			fields[name] = s
		}
		texts = append(texts, found...)
	}
	return fields, texts
}

// fieldOf returns the schema of a field under its name, and the paths of the texts in it.
func fieldOf(schema *ast.Schema, field *ast.Field) (fields properties, texts []string) {
	name := cmp.Or(field.Alias, field.Name)
	t, path := field.Definition.Type, name
	var lists []bool // whether each may be null, the outermost first
	for ; t.Elem != nil; t = t.Elem {
		lists = append(lists, !t.NonNull)
		path += "[]"
	}
	var s properties
	switch definition := schema.Types[t.NamedType]; {
	case len(field.SelectionSet) > 0:
		inner, found := outputOf(schema, field.SelectionSet)
		s = properties{"type": "object", "properties": inner}
		for _, text := range found {
			texts = append(texts, path+"."+text)
		}
	case definition.Kind == ast.Enum:
		s = properties{"type": "string", "enum": valuesOf(definition)}
	case t.NamedType == "String" || t.NamedType == "JSON":
		texts = []string{path}
		fallthrough
	default:
		s = scalarSchema(t.NamedType)
		delete(s, "format") // is for who writes
	}
	orNull(s, !t.NonNull)
	for _, mayBeNull := range slices.Backward(lists) {
		s = properties{"type": "array", "items": s}
		orNull(s, mayBeNull)
	}
	return properties{name: s}, texts
}

// orNull has a schema allow null, too.
func orNull(s properties, mayBeNull bool) {
	if !mayBeNull || s["type"] == nil {
		return
	}
	s["type"] = []any{s["type"], "null"}
	if values, ok := s["enum"].([]any); ok {
		s["enum"] = append(values, nil)
	}
}
