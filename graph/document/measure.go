package document

import (
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"github.com/goalgraph/goalgraph/model"
)

// Size is what a selection has, with every fragment put in wherever it is spread.
type Size struct {
	Nodes, Depth, Aliases, Directives int
	// Roots are the fields of the selection itself.
	Roots int
}

// plenty stands for every number that is larger.
const plenty = 1 << 40

// add adds what a selection beside this one has.
func (s *Size) add(other Size) {
	s.Nodes = min(s.Nodes+other.Nodes, plenty)
	s.Aliases = min(s.Aliases+other.Aliases, plenty)
	s.Directives = min(s.Directives+other.Directives, plenty)
	s.Roots = min(s.Roots+other.Roots, plenty)
	s.Depth = max(s.Depth, other.Depth)
}

// measurer measures a document. It visits each fragment once.
type measurer struct {
	bounds    *Bounds
	fragments map[string]*ast.FragmentDefinition
	// known are the sizes of fragments; nil of one that is being measured.
	known map[string]*Size
	// written is how many nodes the text has.
	written int
	// repeats is the most often that a pair of braces repeats a selection, and repeated is the last one there.
	repeats  int
	repeated *ast.Position
	err      *gqlerror.Error
}

// refuse returns an error about a place in a document.
func refuse(code model.Code, at *ast.Position, format string, args ...any) *gqlerror.Error {
	err := gqlerror.Wrap(model.Errorf(code, format, args...))
	if at != nil {
		err.Locations = []gqlerror.Location{{Line: at.Line, Column: at.Column}}
	}
	return err
}

func (m *measurer) fail(err *gqlerror.Error) {
	if m.err == nil {
		m.err = err
	}
}

// Measure returns the largest size that an operation of a document has, and how many nodes the text has. The error is
// about the first bound that the document goes beyond.
func (b *Bounds) Measure(doc *ast.QueryDocument) (largest Size, written int, err *gqlerror.Error) {
	if n := len(doc.Operations); n > b.Operations {
		return largest, 0, b.tooMany(doc.Operations[b.Operations].Position, "operations", n, b.Operations, "send them one by one")
	}
	if n := len(doc.Fragments); n > b.Fragments {
		return largest, 0, b.tooMany(doc.Fragments[b.Fragments].Position, "fragments", n, b.Fragments, "use fewer")
	}
	m := &measurer{bounds: b, fragments: map[string]*ast.FragmentDefinition{}, known: map[string]*Size{}}
	for _, fragment := range doc.Fragments {
		m.name(fragment.Name, fragment.Position)
		m.name(fragment.TypeCondition, fragment.Position)
		if m.fragments[fragment.Name] == nil {
			m.fragments[fragment.Name] = fragment
		}
	}
	nodes := 0
	for _, fragment := range doc.Fragments {
		nodes = min(nodes+m.fragment(fragment.Name, fragment.Position).Nodes, plenty)
	}
	for _, operation := range doc.Operations {
		size := m.operation(operation)
		nodes = min(nodes+size.Nodes, plenty)
		largest.add(size)
		m.check(operation, size)
	}
	if m.err == nil && nodes > b.Nodes {
		m.err = b.tooMany(nil, "selections, directives and values, with each fragment counted wherever it is spread,", nodes, b.Nodes, "send long lists as variables, and spread fewer fragments")
	}
	if m.err == nil && m.repeats > b.Repeats {
		m.err = b.tooMany(m.repeated, "selections of one name between a pair of braces", m.repeats, b.Repeats, "select it once")
	}
	return largest, m.written, m.err
}

// check holds an operation against the bounds.
func (m *measurer) check(operation *ast.OperationDefinition, size Size) {
	for _, of := range []struct {
		what      string
		has, most int
		advice    string
	}{
		{"levels of fields", size.Depth, m.bounds.Depth, "ask for what is deeper by its id"},
		{"fields at its root", size.Roots, m.bounds.Roots, "send several requests"},
		{"aliases", size.Aliases, m.bounds.Aliases, "send several requests"},
		{"directives", size.Directives, m.bounds.Directives, "leave some out, or send several requests"},
	} {
		if of.has > of.most {
			m.fail(m.bounds.tooMany(operation.Position, of.what, of.has, of.most, of.advice))
			return
		}
	}
}

func (b *Bounds) tooMany(at *ast.Position, what string, has, most int, advice string) *gqlerror.Error {
	if has >= plenty {
		return refuse(model.ResourceExhausted, at, "the document has too many %s: the limit is %d; %s", what, most, advice)
	}
	return refuse(model.ResourceExhausted, at, "the document has %d %s: the limit is %d; %s", has, what, most, advice)
}

func (m *measurer) name(name string, at *ast.Position) {
	if len(name) > m.bounds.Name {
		m.fail(refuse(model.ResourceExhausted, at, "the name %.20s… has %d bytes: the limit is %d", name, len(name), m.bounds.Name))
	}
}

func (m *measurer) operation(operation *ast.OperationDefinition) Size {
	m.name(operation.Name, operation.Position)
	size := m.directives(operation.Directives)
	for _, variable := range operation.VariableDefinitions {
		m.name(variable.Variable, variable.Position)
		m.name(variable.Type.Name(), variable.Position)
		m.written++
		size.Nodes++
		size.add(m.directives(variable.Directives))
		if variable.DefaultValue != nil {
			size.Nodes += m.value(variable.DefaultValue, 0)
		}
	}
	size.add(m.selections(operation.SelectionSet))
	return size
}

// fragment returns the size of a fragment's selection; zero of one that is not defined, which validation tells.
func (m *measurer) fragment(name string, at *ast.Position) Size {
	if size, found := m.known[name]; found {
		if size == nil {
			m.fail(refuse(model.BadInput, at, "the fragment %q spreads itself, on its own or by others; leave a spread out", name))
			return Size{}
		}
		return *size
	}
	fragment := m.fragments[name]
	if fragment == nil {
		return Size{}
	}
	m.known[name] = nil
	size := m.directives(fragment.Directives)
	size.add(m.selections(fragment.SelectionSet))
	m.known[name] = &size
	return size
}

func (m *measurer) selections(set ast.SelectionSet) (size Size) {
	names := make(map[string]int, len(set))
	repeat := func(name string, at *ast.Position) {
		names[name]++
		if names[name] > m.repeats {
			m.repeats, m.repeated = names[name], at
		}
	}
	for _, selection := range set {
		m.written++
		size.Nodes++
		switch s := selection.(type) {
		case *ast.Field:
			m.name(s.Name, s.Position)
			m.name(s.Alias, s.Position)
			repeat(s.Alias, s.Position)
			own := Size{Roots: 1}
			if s.Alias != s.Name {
				own.Aliases = 1
			}
			own.Nodes = m.arguments(s.Arguments)
			own.add(m.directives(s.Directives))
			below := m.selections(s.SelectionSet)
			below.Roots = 0
			below.Depth++
			own.add(below)
			size.add(own)
		case *ast.InlineFragment:
			m.name(s.TypeCondition, s.Position)
			size.add(m.directives(s.Directives))
			size.add(m.selections(s.SelectionSet))
		case *ast.FragmentSpread:
			m.name(s.Name, s.Position)
			repeat("..."+s.Name, s.Position)
			size.add(m.directives(s.Directives))
			size.add(m.fragment(s.Name, s.Position))
		}
	}
	return size
}

func (m *measurer) directives(list ast.DirectiveList) (size Size) {
	for _, directive := range list {
		m.name(directive.Name, directive.Position)
		m.written++
		size.Directives++
		size.Nodes += 1 + m.arguments(directive.Arguments)
	}
	return size
}

func (m *measurer) arguments(list ast.ArgumentList) (nodes int) {
	for _, argument := range list {
		m.name(argument.Name, argument.Position)
		nodes += m.value(argument.Value, 0)
	}
	return nodes
}

// value returns how many nodes a value is, which stands in so many others.
func (m *measurer) value(value *ast.Value, level int) (nodes int) {
	if level > m.bounds.Nesting {
		m.fail(m.bounds.tooMany(value.Position, "lists and objects in one another", level, m.bounds.Nesting, "put less of them in one another"))
		return 0
	}
	m.written++
	nodes = 1
	switch value.Kind {
	case ast.Variable, ast.EnumValue:
		m.name(value.Raw, value.Position)
	case ast.ObjectValue, ast.ListValue:
		for _, child := range value.Children {
			m.name(child.Name, value.Position)
			nodes += m.value(child.Value, level+1)
		}
	}
	return nodes
}
