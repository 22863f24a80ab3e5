package graph

import (
	"embed"
	"fmt"
	"io/fs"
	"strings"

	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/formatter"
	"github.com/vektah/gqlparser/v2/parser"
	"github.com/vektah/gqlparser/v2/validator"

	"github.com/goalgraph/goalgraph/model"
	"github.com/goalgraph/goalgraph/plugins/host"
)

//go:embed schema/*.graphqls
var schemaFiles embed.FS

// filterInput is a scalar in the schema files, which cannot know the plugins.
const filterInput = "FilterInput"

// buildSchema returns the schema that is served: that of the files, with each
// filter type's definitions, and FilterInput an input object with a field for each.
func buildSchema(types []*host.Type) (*ast.Schema, error) {
	document, err := staticDocument()
	if err != nil {
		return nil, err
	}
	var definitions ast.DefinitionList
	for _, definition := range document.Definitions {
		if definition.Name != filterInput {
			definitions = append(definitions, definition)
		}
	}
	document.Definitions = definitions

	input := &ast.Definition{
		Kind: ast.InputObject,
		Name: filterInput,
		Description: "A filter: exactly one field is set, which names the filter type. The fields are not fixed: there is one for each\n" +
			"filter type that a loaded plugin offers, typed by the input that the plugin declares. The last four, of which no\n" +
			"plugin knows, make groups of filters, and name segments.",
		Directives: ast.DirectiveList{{Name: "oneOf"}},
	}
	for _, t := range types {
		source := &ast.Source{Name: "plugin " + t.Plugin + ", filter type " + t.Name, Input: t.SDL}
		own, err := parser.ParseSchema(source)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", source.Name, err)
		}
		document.Merge(own)
		input.Fields = append(input.Fields, &ast.FieldDefinition{
			Name:        t.Name,
			Description: fmt.Sprintf("%s Merge rule %s.", t.Description, t.Rule),
			Type:        ast.NamedType(t.Input, nil),
		})
	}
	input.Fields = append(input.Fields, groupFields()...)
	document.Definitions = append(document.Definitions, input)
	schema, err := validator.ValidateSchemaDocument(document)
	if err != nil {
		return nil, fmt.Errorf("the schema with the plugins' types: %w", err)
	}
	// The library's prelude has it, and its executor would have what is deferred wait for a reader for good: answers come
	// in one part.
	delete(schema.Directives, "defer")
	return schema, nil
}

// groupFields are the fields of FilterInput that no plugin offers.
func groupFields() ast.FieldList {
	const merging = "\nMerging leaves it as it is: it stands beside the other filters, and all must hold."
	list := ast.ListType(ast.NonNullNamedType(filterInput, nil), nil)
	return ast.FieldList{
		{Name: model.AnyOf, Type: list, Description: "Sessions that match at least one of these filters." + merging},
		{Name: model.AllOf, Type: list, Description: "Sessions that match each of these filters. No merge rule applies among them: two of one type must both hold." + merging},
		{Name: model.Not, Type: ast.NamedType(filterInput, nil), Description: "Sessions that do not match this filter." + merging},
		{Name: model.InSegment, Type: ast.NamedType("ID", nil), Description: "Sessions in the segment of this id, one of the same site. A change of that segment changes what is counted. While\n" +
			"another definition names it, it can neither be deleted nor become a goal." + merging},
	}
}

func staticDocument() (*ast.SchemaDocument, error) {
	sources := []*ast.Source{validator.Prelude}
	names, err := fs.Glob(schemaFiles, "schema/*.graphqls")
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		text, err := schemaFiles.ReadFile(name)
		if err != nil {
			return nil, err
		}
		sources = append(sources, &ast.Source{Name: name, Input: string(text)})
	}
	document, err := parser.ParseSchemas(sources...)
	if err != nil {
		return nil, fmt.Errorf("the schema files: %w", err)
	}
	return document, nil
}

// Schema returns the schema without the filter types of plugins.
func Schema() (*ast.Schema, error) { return buildSchema(nil) }

// HasType tells whether the schema files define a type of the name, which no
// plugin may then use.
func HasType(name string) bool {
	document, err := staticDocument()
	return err != nil || document.Definitions.ForName(name) != nil
}

// SDL returns the schema that clients see, in the schema definition language.
func SDL(types []*host.Type) (string, error) {
	schema, err := buildSchema(types)
	if err != nil {
		return "", err
	}
	return sdlOf(schema), nil
}

func sdlOf(schema *ast.Schema) string {
	var text strings.Builder
	formatter.NewFormatter(&text, formatter.WithIndent("  ")).FormatSchema(schema)
	return text.String()
}
