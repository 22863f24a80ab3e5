package mcp

import (
	"maps"
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

// inputs writes the schemas of arguments.
type inputs struct {
	schema *ast.Schema
	// tool is the one that takes them, and spelled are the tools that have spelled out an input object, by its name. Others that
	// take it say so, and stay short.
	tool    string
	spelled map[string]string
}

// argumentsOf returns the arguments of an operation: its variables or, where the only one is $input, the fields of that.
func (in inputs) argumentsOf(operation *ast.OperationDefinition) (arguments []argument, takesInput bool) {
	variables := operation.VariableDefinitions
	if len(variables) == 1 && variables[0].Variable == "input" {
		for _, field := range variables[0].Definition.Fields {
			// What has a default may be left out, and its name says enough.
			description := ""
			if field.DefaultValue == nil {
				description = firstSentence(field.Description)
			}
			arguments = append(arguments, argument{
				field.Name, field.Type.NonNull && field.DefaultValue == nil, in.value(field.Type, description, field.DefaultValue),
			})
		}
		return arguments, true
	}
	for _, variable := range variables {
		arguments = append(arguments, argument{
			variable.Variable, variable.Type.NonNull && variable.DefaultValue == nil, in.value(variable.Type, commentOf(variable.Comment), variable.DefaultValue),
		})
	}
	return arguments, false
}

// firstSentence returns the first sentence of a description. The list of tools stays short by it, and the schema of GraphQL has
// the rest.
func firstSentence(description string) string {
	first, _, isLonger := strings.Cut(strings.ReplaceAll(description, "\n", " "), ". ")
	if isLonger {
		first += "."
	}
	return first
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

// objectSchema returns the schema of an object.
func objectSchema(fields properties, required []string) properties {
	s := properties{"type": "object", "properties": fields}
	if len(required) > 0 {
		s["required"] = required
	}
	return s
}

// value returns the schema of a value of a type.
func (in inputs) value(t *ast.Type, description string, fallback *ast.Value) properties {
	s := in.ofType(t)
	if description != "" {
		s["description"] = strings.ReplaceAll(description, "\n", " ")
	}
	if fallback != nil && fallback.Raw != "" && fallback.Kind != ast.NullValue {
		if value, err := fallback.Value(nil); err == nil {
			s["default"] = value
		}
	}
	return s
}

// ofType returns the schema of a type.
func (in inputs) ofType(t *ast.Type) properties {
	if t.Elem != nil {
		return properties{"type": "array", "items": in.ofType(t.Elem)}
	}
	definition := in.schema.Types[t.NamedType]
	switch {
	case t.NamedType == filterInput:
		return properties{"type": "object"}
	case definition.Kind == ast.Enum:
		return properties{"type": "string", "enum": valuesOf(definition)}
	case definition.Kind != ast.InputObject:
		return scalarSchema(t.NamedType)
	}
	if tool, known := in.spelled[t.NamedType]; known && tool != in.tool {
		return properties{"type": "object", "description": "As for " + tool + "."}
	}
	in.spelled[t.NamedType] = in.tool
	fields := properties{}
	var required []string
	for _, field := range definition.Fields {
		// Fields say by their names what they are; their descriptions are in the schema of GraphQL.
		fields[field.Name] = in.ofType(field.Type)
		if field.Type.NonNull && field.DefaultValue == nil {
			required = append(required, field.Name)
		}
	}
	return objectSchema(fields, required)
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

// resultSchema returns the schema of the result of a tool. It tells the names of what is in it, and in which objects and lists.
// It has no other types, so that the list of tools stays short: what a name stands for says the schema of GraphQL.
func resultSchema(data, shared properties) properties {
	s := properties{"type": "object", "properties": properties{
		"data": properties{"type": "object", "properties": data}, "problems": properties{}, "untrusted": properties{},
	}}
	if len(shared) > 0 {
		s["$defs"] = shared
	}
	return s
}

// output is what a selection of fields has.
type output struct {
	// fields are the schemas of the fields, and shared those of the fragments that stand for objects.
	fields, shared properties
	// texts are the paths of the texts that others wrote.
	texts []string
}

// outputOf returns what a selection has.
func outputOf(selections ast.SelectionSet) output {
	all := output{fields: properties{}, shared: properties{}}
	for _, selection := range selections {
		var part output
		switch s := selection.(type) {
		case *ast.Field:
			part = fieldOf(s)
		case *ast.InlineFragment:
			part = outputOf(s.SelectionSet)
		case *ast.FragmentSpread:
			part = outputOf(s.Definition.SelectionSet)
		}
		maps.Copy(all.fields, part.fields)
		maps.Copy(all.shared, part.shared)
		all.texts = append(all.texts, part.texts...)
	}
	return all
}

// fieldOf returns what a field has, under its name.
func fieldOf(field *ast.Field) output {
	path, t := field.Alias, field.Definition.Type
	lists := 0
	for ; t.Elem != nil; t = t.Elem {
		path += "[]"
		lists++
	}
	inner, s := outputOf(field.SelectionSet), properties{}
	var texts []string
	for _, text := range inner.texts {
		texts = append(texts, path+"."+text)
	}
	switch {
	case len(field.SelectionSet) > 0:
		s["properties"] = inner.fields
		if fragment, ok := field.SelectionSet[0].(*ast.FragmentSpread); ok && len(field.SelectionSet) == 1 {
			inner.shared[fragment.Name] = properties{"properties": inner.fields}
			s = properties{"$ref": "#/$defs/" + fragment.Name}
		}
	case t.NamedType == "String" || t.NamedType == "JSON":
		texts = []string{path}
	}
	for range lists {
		s = properties{"items": s}
	}
	return output{properties{field.Alias: s}, inner.shared, texts}
}
