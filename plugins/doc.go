// Package plugins is what the author of a filter type imports. A filter type is
// a small Go type with two methods, and a plugin a program that serves some:
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
//			Description: "Sessions that viewed at least this many pages.",
//			Rule:        plugins.Intersection,
//			SDL:         `input ReaderFilter { "Page views, 1 or more." atLeast: Int! }`,
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
// Later powers are optional interfaces: Merger makes one filter of an active
// segment's and a goal's, Labeler words the filter for people, and Computer decides
// session by session what no predicate can say. What most filters
// need is here too: Choice for filters of "is" and "isNot", Span for a least and
// a most, CheckList for lists of values, Intersect and Unite to merge them.
// plugintest.Run is the test that every plugin must pass, and the README of this
// folder leads from an empty folder to a query.
//
// A filter compiles to a predicate and never to a query, so an author need not
// know how sessions are stored, and no call is made per session but to a Computer.
// All methods are pure functions of their arguments: the host remembers the answers. They
// may be called by several goroutines at once.
//
// Arguments are decoded strictly: an unknown field or a wrong type is refused
// with its path before Compile sees it. Merge only ever sees arguments that
// compile, and what it returns must compile too.
//
// Protocol version 1, which this package speaks, only ever grows: a plugin that
// was built once keeps working.
package plugins
