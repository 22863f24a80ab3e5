package document

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"

	"github.com/maypok86/otter/v2"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"
	"github.com/vektah/gqlparser/v2/parser"
	"github.com/vektah/gqlparser/v2/validator/core"
	"github.com/vektah/gqlparser/v2/validator/rules"

	"github.com/goalgraph/goalgraph/model"
)

// Reader reads documents of one schema. It is safe for concurrent use.
type Reader struct {
	schema *ast.Schema
	bounds Bounds
	known  *otter.Cache[string, read]
	// rules are those of validation.
	rules []core.Rule
}

// read is a document that was read, and about how many bytes it takes.
type read struct {
	doc   *ast.QueryDocument
	bytes uint32
	// trusted tells that nobody has held it against the bounds.
	trusted bool
}

// nodeBytes is about what a node of a document takes.
const nodeBytes = 400

// NewReader returns a Reader that keeps about so many bytes of documents.
func NewReader(schema *ast.Schema, bounds Bounds, keep uint64) (*Reader, error) {
	known, err := otter.New(&otter.Options[string, read]{
		MaximumWeight: keep, Weigher: func(text string, r read) uint32 { return uint32(len(text)) + r.bytes },
	})
	if err != nil {
		return nil, err
	}
	given, telling := rules.NewDefaultRules(), tellingEnums(rules.ValuesOfCorrectTypeRule)
	given.RemoveRule(telling.Name)
	given.AddRule(telling.Name, telling.RuleFunc)
	return &Reader{schema: schema, bounds: bounds, known: known, rules: listOf(given)}, nil
}

// listOf returns rules in the order of their names, with this package's own for the library's.
func listOf(given *rules.Rules) (list []core.Rule) {
	given.RemoveRule(overlap.Name)
	given.AddRule(overlap.Name, overlap.RuleFunc)
	for name, do := range given.GetInner() {
		list = append(list, core.Rule{Name: name, RuleFunc: do})
	}
	slices.SortFunc(list, func(a, b core.Rule) int { return cmp.Compare(a.Name, b.Name) })
	return list
}

// Options are how a document is read.
type Options struct {
	// Trusted documents may be of any size.
	Trusted bool
	// Reserved errors tell nothing of the schema but that the document does not fit it, and where.
	Reserved bool
}

// Read returns the document of a text, which is not to be changed. The errors say what is wrong with it, or with the
// context.
func (r *Reader) Read(ctx context.Context, text string, o Options) (*ast.QueryDocument, gqlerror.List) {
	if known, found := r.known.GetIfPresent(text); found && (o.Trusted || !known.trusted) {
		return known.doc, nil
	}
	if err := ctx.Err(); err != nil {
		return nil, gqlerror.List{gqlerror.Wrap(err)}
	}
	doc, written, err := r.parse(text, o.Trusted)
	if err != nil {
		return nil, gqlerror.List{err}
	}
	if errs := r.validate(ctx, doc); errs != nil {
		if o.Reserved {
			reserve(errs)
		}
		return nil, errs
	}
	r.known.Set(text, read{doc, uint32(min(written*nodeBytes, math.MaxInt32)), o.Trusted})
	return doc, nil
}

// parse reads a text that is within the bounds, and returns how many nodes it has.
func (r *Reader) parse(text string, trusted bool) (doc *ast.QueryDocument, written int, problem *gqlerror.Error) {
	bounds := r.bounds
	if trusted {
		bounds = Bounds{Bytes: plenty, Nodes: plenty, Name: plenty, Depth: plenty, Nesting: plenty, Aliases: plenty, Directives: plenty, Roots: plenty, Repeats: plenty, Operations: plenty, Fragments: plenty}
	}
	if len(text) > bounds.Bytes {
		return nil, 0, refuse(model.ResourceExhausted, nil, "the document has %d bytes: the limit is %d; send long values as variables", len(text), bounds.Bytes)
	}
	doc, err := parser.ParseQueryWithTokenLimit(&ast.Source{Input: text}, bounds.Tokens)
	if err != nil {
		return nil, 0, gqlerror.WrapIfUnwrapped(err)
	}
	if len(doc.Operations) == 0 {
		return nil, 0, gqlerror.Errorf("no operation provided")
	}
	_, written, problem = bounds.Measure(doc)
	return doc, written, problem
}

// reserve takes from errors what rules say of the schema.
func reserve(errs gqlerror.List) {
	for _, err := range errs {
		if err.Rule != "" {
			err.Message = fmt.Sprintf("the document does not fit the schema, by the rule %s; who may read is told how", err.Rule)
		}
	}
}

// stop is what ends validation before it is done.
type stop struct{}

// validate returns the first errors of a document, or the context's.
func (r *Reader) validate(ctx context.Context, doc *ast.QueryDocument) (errs gqlerror.List) {
	defer func() {
		if reason := recover(); reason == nil {
			return
		} else if _, is := reason.(stop); !is {
			panic(reason)
		}
		if err := ctx.Err(); err != nil {
			errs = gqlerror.List{gqlerror.Wrap(err)}
		}
	}()
	observers := new(core.Events)
	stopWith(ctx, observers)
	for _, rule := range r.rules {
		rule.RuleFunc(observers, func(options ...core.ErrorOption) {
			err := &gqlerror.Error{Rule: rule.Name}
			for _, set := range options {
				set(err)
			}
			errs = append(errs, err)
			if len(errs) == r.bounds.Errors {
				errs = append(errs, gqlerror.Errorf("the document has further errors, which are not told"))
				panic(stop{})
			}
		})
	}
	core.Walk(r.schema, doc, observers)
	return errs
}

// stopWith has a walk stopped when the context ends.
func stopWith(ctx context.Context, observers *core.Events) {
	visited := 0
	visit := func() {
		if visited++; visited%64 == 0 && ctx.Err() != nil {
			panic(stop{})
		}
	}
	observers.OnField(func(*core.Walker, *ast.Field) { visit() })
	observers.OnValue(func(*core.Walker, *ast.Value) { visit() })
	observers.OnFragmentSpread(func(*core.Walker, *ast.FragmentSpread) { visit() })
	observers.OnDirective(func(*core.Walker, *ast.Directive) { visit() })
}
