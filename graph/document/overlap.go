package document

import (
	"fmt"

	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/validator/core"
)

// overlap is the rule that fields of one name in the answer can be merged: "Field Selection Merging" of the
// specification. The library's rule compares fields by pairs. This one puts all fields of a name together and compares
// each with the first, as being alike carries over: Simon Adameit, "GraphQL: Overlapping fields can be merged fast",
// 2019. Every field is visited once for its shape and once for what it is, wherever its fragment is spread.
var overlap = core.Rule{Name: "OverlappingFieldsCanBeMerged", RuleFunc: func(observers *core.Events, addError core.AddErrFunc) {
	observers.OnOperation(func(walker *core.Walker, operation *ast.OperationDefinition) {
		o := overlapping{schema: walker.Schema, addError: addError, told: map[*ast.Field]bool{}}
		o.shapes([]ast.SelectionSet{operation.SelectionSet})
		o.fields([]ast.SelectionSet{operation.SelectionSet})
	})
}}

type overlapping struct {
	schema   *ast.Schema
	addError core.AddErrFunc
	// told are the fields of which an error was told.
	told map[*ast.Field]bool
}

// named are the fields of one name in the answer.
type named []*ast.Field

// collect returns the fields of selections by their names, in the order of the first of each.
func collect(sets []ast.SelectionSet) (all []named) {
	places, spread := map[string]int{}, map[*ast.FragmentDefinition]bool{}
	var add func(set ast.SelectionSet)
	add = func(set ast.SelectionSet) {
		for _, selection := range set {
			switch s := selection.(type) {
			case *ast.Field:
				place, found := places[s.Alias]
				if !found {
					place = len(all)
					places[s.Alias] = place
					all = append(all, nil)
				}
				all[place] = append(all[place], s)
			case *ast.InlineFragment:
				add(s.SelectionSet)
			case *ast.FragmentSpread:
				if s.Definition != nil && !spread[s.Definition] {
					spread[s.Definition] = true
					add(s.Definition.SelectionSet)
				}
			}
		}
	}
	for _, set := range sets {
		add(set)
	}
	return all
}

// below returns the selections of fields.
func (n named) below() (sets []ast.SelectionSet) {
	for _, field := range n {
		if len(field.SelectionSet) > 0 {
			sets = append(sets, field.SelectionSet)
		}
	}
	return sets
}

// shapes checks that all fields of a name have values of one shape, on whatever type of object each is.
func (o *overlapping) shapes(sets []ast.SelectionSet) {
	for _, fields := range collect(sets) {
		first := fields[0]
		for _, other := range fields[1:] {
			if first.Definition != nil && other.Definition != nil && !o.sameShape(first.Definition.Type, other.Definition.Type) {
				o.tell(other, "they return conflicting types %q and %q", first.Definition.Type, other.Definition.Type)
			}
		}
		if below := fields.below(); len(below) > 0 {
			o.shapes(below)
		}
	}
}

func (o *overlapping) sameShape(a, b *ast.Type) bool {
	if a.NonNull != b.NonNull || (a.Elem == nil) != (b.Elem == nil) {
		return false
	}
	if a.Elem != nil {
		return o.sameShape(a.Elem, b.Elem)
	}
	of, other := o.schema.Types[a.NamedType], o.schema.Types[b.NamedType]
	if of == nil || other == nil || of.IsCompositeType() && other.IsCompositeType() {
		return true
	}
	return of == other
}

// fields checks that fields of a name which one object may have are the same field with the same arguments.
func (o *overlapping) fields(sets []ast.SelectionSet) {
	for _, fields := range collect(sets) {
		for _, together := range fields.byObject() {
			first := together[0]
			for _, other := range together[1:] {
				switch {
				case first.Name != other.Name:
					o.tell(other, "%q and %q are different fields", first.Name, other.Name)
				case !sameArguments(first.Arguments, other.Arguments):
					o.tell(other, "they have differing arguments")
				}
			}
			if below := together.below(); len(below) > 0 {
				o.fields(below)
			}
		}
	}
}

// byObject parts fields by the type of object that they are on. Those of an interface or a union are on all of these.
func (n named) byObject() (parts []named) {
	var abstract named
	places := map[*ast.Definition]int{}
	for _, field := range n {
		parent := field.ObjectDefinition
		if parent == nil || parent.IsAbstractType() {
			abstract = append(abstract, field)
			continue
		}
		place, found := places[parent]
		if !found {
			place = len(parts)
			places[parent] = place
			parts = append(parts, nil)
		}
		parts[place] = append(parts[place], field)
	}
	if len(parts) == 0 {
		return []named{abstract}
	}
	for i := range parts {
		parts[i] = append(parts[i], abstract...)
	}
	return parts
}

func sameArguments(a, b ast.ArgumentList) bool {
	if len(a) != len(b) {
		return false
	}
	for _, argument := range a {
		other := b.ForName(argument.Name)
		if other == nil || !sameValue(argument.Value, other.Value) {
			return false
		}
	}
	return true
}

func sameValue(a, b *ast.Value) bool {
	if a.Kind != b.Kind || a.Raw != b.Raw || len(a.Children) != len(b.Children) {
		return false
	}
	for i, child := range a.Children {
		if child.Name != b.Children[i].Name || !sameValue(child.Value, b.Children[i].Value) {
			return false
		}
	}
	return true
}

// tell tells of a field that it conflicts with the first of its name.
func (o *overlapping) tell(field *ast.Field, why string, args ...any) {
	if o.told[field] {
		return
	}
	o.told[field] = true
	o.addError(core.Message("Fields %q conflict because %s. Use different aliases on the fields to fetch both if this was intentional.",
		field.Alias, fmt.Sprintf(why, args...)), core.At(field.Position))
}
