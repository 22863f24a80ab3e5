package plugins

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/goalgraph/goalgraph/model/filter"
	"github.com/goalgraph/goalgraph/plugins/pb"
)

// Description describes a filter type. It never changes while the plugin runs.
type Description struct {
	// Name is the field of the graph's FilterInput ("country"). It begins with a
	// lower-case letter and is unique among all loaded filter types.
	Name string
	// Title is shown to people ("Country").
	Title string
	// Description is shown to people: what the filter matches, and how two of them
	// merge.
	Description string
	Rule        Rule
	// SDL defines the input in GraphQL, with input objects and enums only. Every name
	// in it begins with the type's name, capitalised. Its descriptions become the
	// schema's documentation.
	SDL string
	// Input is the name of the input object in SDL.
	Input string
	// Dimension is the text field whose values are suggested; the zero Field for none.
	Dimension filter.Field
	// None is the argument that stands for "no value"; empty if there is none.
	None string
	// Arguments say what completes the values of arguments. Those that are left out are typed in; if all are, those of
	// type String or [String!] are completed by the values of the Dimension.
	Arguments []Argument
}

// Filter is a filter type with arguments of type A, a struct that the type's input
// decodes into.
type Filter[A any] interface {
	Describe() Description
	// Compile returns the predicate for args. It refuses invalid arguments with
	// ArgError; any other error is the plugin's failure.
	Compile(ctx context.Context, args A) (filter.Expr, error)
}

// Merger is a Filter that merges two filters into one. Without it, Last uses the goal's
// filter and all other rules keep both, which is always right. A Merger only makes the
// merged segment shorter to read, and finds contradictions early.
type Merger[A any] interface {
	// Merge returns the arguments of one filter that stands for both. The error is
	// ErrEmpty if no session can match both, and ErrBoth if no single filter says it.
	Merge(ctx context.Context, active, goal A) (A, error)
}

// Labeler is a Filter that describes itself to people in one line: "Country is RO or
// US". Without it, the label consists of the title and the arguments.
type Labeler[A any] interface {
	Label(args A) string
}

// Errors that a Merger returns instead of arguments.
var (
	// ErrEmpty says that the two filters exclude each other.
	ErrEmpty = errors.New("the filters exclude each other")
	// ErrBoth says that both filters stay and both must hold.
	ErrBoth = errors.New("both filters must hold")
)

// Type is a filter type ready to be served. It hides the type of the arguments.
type Type struct {
	description Description
	compile     func(ctx context.Context, args []byte) (*pb.Compiled, error)
	merge       func(ctx context.Context, active, goal []byte) ([]byte, error)
	compute     func(ctx context.Context, args []byte, visits []*pb.Visit) ([]bool, error)
}

// Name returns the filter type's name.
func (t Type) Name() string { return t.description.Name }

// Of turns a Filter, with the optional interfaces it implements, into a Type.
func Of[A any](f Filter[A]) Type {
	description := f.Describe()
	label := func(args A) string { return describe(description.Title, args) }
	if l, ok := f.(Labeler[A]); ok {
		label = l.Label
	}
	t := Type{description: description}
	warn := func(A) []Warning { return nil }
	if w, ok := f.(Warner[A]); ok {
		warn = w.Warn
	}
	t.compile = func(ctx context.Context, raw []byte) (*pb.Compiled, error) {
		args, err := Decode[A](raw)
		if err != nil {
			return nil, err
		}
		expr, err := f.Compile(ctx, args)
		if err != nil {
			return nil, err
		}
		if expr == nil {
			return nil, fmt.Errorf("filter type %s compiled to nothing", description.Name)
		}
		predicate := filter.Simplify(expr).String()
		if len(predicate) > filter.MaxText {
			return nil, ArgError("", "the filter is too long; give fewer or shorter values")
		}
		return &pb.Compiled{Predicate: predicate, Label: oneLine(label(args)), Warnings: warningsOf(warn(args))}, nil
	}
	if m, ok := f.(Merger[A]); ok {
		t.merge = func(ctx context.Context, active, goal []byte) ([]byte, error) {
			a, err := checked(ctx, f, active)
			if err != nil {
				return nil, &sideError{err: err}
			}
			g, err := checked(ctx, f, goal)
			if err != nil {
				return nil, &sideError{goal: true, err: err}
			}
			merged, err := m.Merge(ctx, a, g)
			if err != nil {
				return nil, err
			}
			return json.Marshal(merged)
		}
	}
	if c, ok := f.(Computer[A]); ok {
		t.compute = computer(c)
	}
	return t
}

// checked returns the arguments if they compile.
func checked[A any](ctx context.Context, f Filter[A], raw []byte) (A, error) {
	args, err := Decode[A](raw)
	if err == nil {
		_, err = f.Compile(ctx, args)
	}
	return args, err
}

// sideError is an error in one of the two filters of a merge.
type sideError struct {
	goal bool
	err  error
}

func (e *sideError) Error() string { return e.err.Error() }
func (e *sideError) Unwrap() error { return e.err }
