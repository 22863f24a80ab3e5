package graph

import (
	"context"
	"fmt"
	"strings"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/ast"

	"github.com/goalgraph/goalgraph/model"
)

// The directives by which fields say who may select them. The generated code asks Resolver.access for each field with the
// first; a root field has one of the two, or no schema is made.
const (
	accessDirective = "access"
	publicDirective = "public"
)

// checkRootFields returns an error unless each root field says who may select it.
func checkRootFields(schema *ast.Schema) error {
	for _, root := range []*ast.Definition{schema.Query, schema.Mutation, schema.Subscription} {
		if root == nil {
			continue
		}
		for _, field := range root.Fields {
			if strings.HasPrefix(field.Name, "__") {
				continue
			}
			if (field.Directives.ForName(accessDirective) == nil) == (field.Directives.ForName(publicDirective) == nil) {
				return fmt.Errorf("%s.%s does not say who may select it: give it either @%s or @%s", root.Name, field.Name, accessDirective, publicDirective)
			}
		}
	}
	return nil
}

// access carries out @access: it asks whether the actor has the scope on some site. Which one is checked where what it has
// is loaded (guard).
func (r *Resolver) access(ctx context.Context, _ any, next graphql.Resolver, scope model.Scope) (any, error) {
	if err := checkScope(model.ActorOf(ctx).Principal, scope, model.MillisOf(r.now())); err != nil {
		return nil, err
	}
	return next(ctx)
}

// checkScope returns nil if a principal has a scope on some site.
func checkScope(p *model.Principal, scope model.Scope, now model.Millis) error {
	switch {
	case len(p.Grants) == 0:
		return model.Errorf(model.Unauthenticated, "send an API key as Authorization: Bearer KEY, or log in")
	case p.Expires != 0 && p.Expires <= now:
		return model.Errorf(model.Unauthenticated, "the key or the login has expired; create a new key, or log in again")
	case !p.MaySomewhere(scope):
		return forbidden(p, scope, anySite)
	}
	return nil
}

// anySite stands for whichever site a principal has the most on.
const anySite int64 = -1

// forbidden is the error where what a principal has on a site is too little.
func forbidden(p *model.Principal, needed model.Scope, site int64) error {
	var has model.Scope
	for _, scope := range model.Scopes {
		if p.May(scope, site) || site == anySite && p.MaySomewhere(scope) {
			has = scope
		}
	}
	switch {
	case site != model.AllSites:
		return model.Errorf(model.Forbidden, "this needs the scope %s, and %q has %s", needed, p.Name, has)
	case p.MaySomewhere(needed):
		return model.Errorf(model.Forbidden, "this needs the scope %s on all sites, and %q has it on listed sites only", needed, p.Name)
	}
	return model.Errorf(model.Forbidden, "this needs the scope %s on all sites", needed)
}

// IsPrivate tells whether the answer to an operation should not outlive the moment: it has something that needs the scope
// ADMIN, or, as what everybody may select does, tells who asks.
func IsPrivate(operation *graphql.OperationContext) (private bool) {
	visitFields(operation.Operation.SelectionSet, func(field *ast.FieldDefinition) {
		private = private || scopeOfField(field) == model.AdminScope || field != nil && field.Directives.ForName(publicDirective) != nil
	})
	return private
}

// scopeOf returns the least scope that a selection of fields needs, whatever is skipped: READ at least.
func scopeOf(selections ast.SelectionSet) model.Scope {
	scope := model.ReadScope
	visitFields(selections, func(field *ast.FieldDefinition) {
		if needed := scopeOfField(field); needed != "" && !scope.Includes(needed) {
			scope = needed
		}
	})
	return scope
}

// visitFields calls visit for each field of a selection, whatever is skipped; of each fragment once. A field that the schema
// does not have is nil.
func visitFields(selections ast.SelectionSet, visit func(*ast.FieldDefinition)) {
	seen := map[*ast.FragmentDefinition]bool{}
	var walk func(ast.SelectionSet)
	walk = func(selections ast.SelectionSet) {
		for _, selection := range selections {
			switch selection := selection.(type) {
			case *ast.Field:
				visit(selection.Definition)
				walk(selection.SelectionSet)
			case *ast.InlineFragment:
				walk(selection.SelectionSet)
			case *ast.FragmentSpread:
				if fragment := selection.Definition; !seen[fragment] {
					seen[fragment] = true
					walk(fragment.SelectionSet)
				}
			}
		}
	}
	walk(selections)
}

// scopeOfField returns the scope of a field's @access, empty without one.
func scopeOfField(field *ast.FieldDefinition) model.Scope {
	if field == nil {
		return ""
	}
	directive := field.Directives.ForName(accessDirective)
	if directive == nil {
		return ""
	}
	return model.Scope(directive.Arguments.ForName("scope").Value.Raw)
}
