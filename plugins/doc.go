// Package plugins is the SDK for authors of filter types. A filter type is a small
// Go type with two methods; a plugin is a program that serves some of them:
//
//	// args is the filter's input. Its JSON names are those of the SDL.
//	type args struct {
//		AtLeast int `json:"atLeast"`
//	}
//
//	type reader struct{}
//
//	func (reader) Describe() plugins.Description {
//		return plugins.Description{
//			Name:        "reader",
//			Title:       "Reader",
//			Description: "Sessions with at least this many page views.",
//			Rule:        plugins.Intersection,
//			SDL:         `input ReaderFilter { "The least number, 1 or more." atLeast: Int! }`,
//			Input:       "ReaderFilter",
//		}
//	}
//
//	func (reader) Compile(_ context.Context, a args) (filter.Expr, error) {
//		if a.AtLeast < 1 {
//			return nil, plugins.ArgError("atLeast", "must be at least 1, not %d", a.AtLeast)
//		}
//		return filter.Range{Field: filter.PageViews, Min: float64(a.AtLeast), Max: math.Inf(1)}, nil
//	}
//
//	func main() { plugins.Serve("reader", "1.0.0", plugins.Of(reader{})) }
//
// Optional interfaces add more: Merger turns an active segment's filter and a goal's
// into one, Labeler describes a filter to people, Warner says what is probably a mistake,
// and Computer decides session by session what no predicate can say. Arguments of a
// Description say what completes an argument's values in a form. The package also has what most filters need:
// Choice for "is" and "isNot", Span for a minimum and a maximum, CheckList for lists
// of values, Intersect and Unite to merge lists. plugintest.Run is the test that
// every plugin must pass. The README of this folder leads from an empty folder to a
// query.
//
// A filter compiles to a predicate, never to a query. So an author need not know how
// sessions are stored, and only a Computer is called per session. All methods are
// pure functions of their arguments, because the host remembers the answers. Several
// goroutines may call them at once.
//
// Arguments are decoded strictly: an unknown field or a wrong type is refused with
// its path before Compile sees it. Merge only sees arguments that compile, and must
// return arguments that compile.
//
// This package speaks protocol version 1, which only grows: a plugin built once keeps
// working.
package plugins
