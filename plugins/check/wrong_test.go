package check_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"sync/atomic"
	"time"

	"github.com/goalgraph/goalgraph/model/filter"
	"github.com/goalgraph/goalgraph/plugins"
	"github.com/goalgraph/goalgraph/plugins/pb"
)

// wrong is a plugin that keeps all rules but one. It is the protocol's server, for
// the package plugins does not let an author do most of this.
type wrong struct {
	pb.FilterPluginServer
	describe func(*pb.DescribeResponse)
	compile  func(args string, right *pb.CompileResponse) (*pb.CompileResponse, error)
	merge    func(q *pb.MergeRequest, right *pb.MergeResponse) (*pb.MergeResponse, error)
}

func (w wrong) Describe(ctx context.Context, q *pb.DescribeRequest) (*pb.DescribeResponse, error) {
	described := &pb.DescribeResponse{Name: "right", Version: "1.0.0", Types: []*pb.FilterType{{
		Name: "reader", Title: "Reader", Description: "Sessions by their page views and tags. Merged, both hold.",
		Rule: pb.MergeRule_MERGE_RULE_INTERSECTION, Sdl: readerSDL, Input: "ReaderFilter", Merges: true,
	}}}
	if w.describe != nil {
		w.describe(described)
	}
	return described, nil
}

func (w wrong) Compile(ctx context.Context, q *pb.CompileRequest) (*pb.CompileResponse, error) {
	right, err := w.FilterPluginServer.Compile(ctx, q)
	if err == nil && w.compile != nil {
		return w.compile(q.GetArgs(), right)
	}
	return right, err
}

func (w wrong) Merge(ctx context.Context, q *pb.MergeRequest) (*pb.MergeResponse, error) {
	right, err := w.FilterPluginServer.Merge(ctx, q)
	if err == nil && w.merge != nil {
		return w.merge(q, right)
	}
	return right, err
}

// reader is the filter type that wrong plugins are made of.
type reader struct{}

type readerArgs struct {
	plugins.Span[int]
	Tags []string `json:"tags,omitempty"`
}

const readerSDL = `
"Sessions by what was read."
input ReaderFilter {
  "Page views, 0 or more."
  min: Int
  "Page views, 0 or more."
  max: Int
  "Tags (news, sport): all of them."
  tags: [String!]
}`

func (reader) Describe() plugins.Description {
	return plugins.Description{Name: "reader", Title: "Reader", Description: "Sessions by what was read.", Rule: plugins.Intersection, SDL: readerSDL, Input: "ReaderFilter"}
}

func (reader) Compile(_ context.Context, args readerArgs) (filter.Expr, error) {
	if err := plugins.CheckList("tags", args.Tags); err != nil {
		return nil, err
	}
	var all filter.And
	for _, tag := range args.Tags {
		all = append(all, filter.In{Field: filter.Tags, Values: []string{tag}})
	}
	if args.Min == nil && args.Max == nil && args.Tags != nil {
		return all, nil
	}
	return append(all, args.Expr(filter.PageViews)), args.CheckFrom(0)
}

func (reader) Merge(_ context.Context, active, goal readerArgs) (readerArgs, error) {
	span, err := active.Span.Merge(goal.Span)
	if err != nil {
		return readerArgs{}, err
	}
	tags, err := plugins.Unite(active.Tags, goal.Tags)
	return readerArgs{span, tags}, err
}

func (reader) Label(args readerArgs) string {
	label := "Read"
	if args.Min != nil || args.Max != nil {
		label = args.Span.Label("Page views", "")
	}
	if args.Tags != nil {
		label += " about " + plugins.AllOf(args.Tags)
	}
	return label
}

// compiledAs returns the answer of a predicate and a label.
func compiledAs(predicate, label string) *pb.CompileResponse {
	return &pb.CompileResponse{Result: &pb.CompileResponse_Compiled{Compiled: &pb.Compiled{Predicate: predicate, Label: label}}}
}

func refusal(path, message string) *pb.CompileResponse {
	return &pb.CompileResponse{Result: &pb.CompileResponse_Error{Error: &pb.ArgumentError{Path: path, Message: message}}}
}

func mergedAs(args string) *pb.MergeResponse {
	return &pb.MergeResponse{Result: &pb.MergeResponse_Args{Args: args}}
}

var isEmpty = &pb.MergeResponse{Result: &pb.MergeResponse_Empty{Empty: &pb.Empty{}}}

// wrongs are the plugins that break a rule, by how.
func wrongs() map[string]wrong {
	first := func(change func(*pb.FilterType)) func(*pb.DescribeResponse) {
		return func(d *pb.DescribeResponse) { change(d.GetTypes()[0]) }
	}
	sdl := func(old, new string) func(*pb.DescribeResponse) {
		return first(func(t *pb.FilterType) { t.Sdl = strings.Replace(t.GetSdl(), old, new, 1) })
	}
	label := func(change func(args, label string) string) func(string, *pb.CompileResponse) (*pb.CompileResponse, error) {
		return func(args string, right *pb.CompileResponse) (*pb.CompileResponse, error) {
			if c := right.GetCompiled(); c != nil {
				return compiledAs(c.GetPredicate(), change(args, c.GetLabel())), nil
			}
			return right, nil
		}
	}
	// Each plugin counts for itself: they are checked at the same time.
	var labels, merges atomic.Int64
	list := map[string]wrong{
		"right":                          {},
		"description: plugin's name":     {describe: func(d *pb.DescribeResponse) { d.Name = "my plugin" }},
		"description: no version":        {describe: func(d *pb.DescribeResponse) { d.Version = "" }},
		"description: no types":          {describe: func(d *pb.DescribeResponse) { d.Types = nil }},
		"description: a type twice":      {describe: func(d *pb.DescribeResponse) { d.Types = append(d.Types, d.GetTypes()[0]) }},
		"description: a taken type":      {describe: first(func(t *pb.FilterType) { t.Name = "taken" })},
		"description: a taken name":      {describe: first(func(t *pb.FilterType) { t.Sdl += ` "Two." enum ReaderTaken { "One." ONE }` })},
		"description: type's name":       {describe: first(func(t *pb.FilterType) { t.Name = "Reader" })},
		"description: a group's name":    {describe: first(func(t *pb.FilterType) { t.Name = "anyOf" })},
		"description: no title":          {describe: first(func(t *pb.FilterType) { t.Title = " " })},
		"description: no rule":           {describe: first(func(t *pb.FilterType) { t.Rule = 0 })},
		"description: no description":    {describe: first(func(t *pb.FilterType) { t.Description = "" })},
		"description: no such input":     {describe: first(func(t *pb.FilterType) { t.Input = "ReaderInput" })},
		"description: no such dimension": {describe: first(func(t *pb.FilterType) { t.Dimension = "pageViews" })},
		"description: prefix":            {describe: sdl("tags: [String!]", "tags: Kind } \"Kinds.\" enum Kind { \"A.\" A")},
		"description: syntax":            {describe: sdl("}", "")},
		"description: default":           {describe: sdl("min: Int", `min: Int = "one"`)},
		"description: no such argument": {describe: first(func(t *pb.FilterType) {
			t.Arguments = []*pb.Argument{{Path: "tags", Suggest: pb.Suggestion_SUGGESTION_EVENTS}, {Path: "pages", Suggest: pb.Suggestion_SUGGESTION_EVENTS}}
		})},
		"description: two keys": {describe: first(func(t *pb.FilterType) {
			t.Arguments = []*pb.Argument{{Path: "tags", Suggest: pb.Suggestion_SUGGESTION_VALUES, Key: "a", KeyPath: "min"}}
		})},
		"description: undocumented": {describe: sdl(`"Page views, 0 or more."`, "")},

		"compile: an error for a refusal": {compile: func(args string, right *pb.CompileResponse) (*pb.CompileResponse, error) {
			if e := right.GetError(); e != nil {
				return nil, fmt.Errorf("bad arguments: %s", e.GetMessage())
			}
			return right, nil
		}},
		"compile: refuses everything": {compile: func(string, *pb.CompileResponse) (*pb.CompileResponse, error) {
			return refusal("", "not today"), nil
		}},
		"compile: refuses all of an argument": {compile: func(args string, right *pb.CompileResponse) (*pb.CompileResponse, error) {
			if strings.Contains(args, "max") {
				return refusal("max", "the secret word is missing"), nil
			}
			return right, nil
		}},
		"compile: a field that sessions lack": {compile: func(string, *pb.CompileResponse) (*pb.CompileResponse, error) {
			return compiledAs(`(in shoeSize "42")`, "Big feet"), nil
		}},
		"compile: nothing": {compile: func(string, *pb.CompileResponse) (*pb.CompileResponse, error) { return &pb.CompileResponse{}, nil }},
		"compile: panic":   {compile: func(string, *pb.CompileResponse) (*pb.CompileResponse, error) { panic("index out of range [3]") }},

		"label: a warning without words": {compile: func(_ string, right *pb.CompileResponse) (*pb.CompileResponse, error) {
			if compiled := right.GetCompiled(); compiled != nil {
				compiled.Warnings = []*pb.Warning{{Path: "tags"}}
			}
			return right, nil
		}},
		"label: empty":     {compile: label(func(string, string) string { return "" })},
		"label: two lines": {compile: label(func(_, label string) string { return "Reader:\n" + label })},
		"label: the same":  {compile: label(func(string, string) string { return "Reader" })},
		"label: too long":  {compile: label(func(_, label string) string { return strings.Repeat("very ", 100) + label })},

		"purity: a counter": {compile: label(func(_, label string) string { return fmt.Sprintf("%s (%d)", label, labels.Add(1)) })},
		"purity: a merge that counts": {merge: func(_ *pb.MergeRequest, right *pb.MergeResponse) (*pb.MergeResponse, error) {
			if merges.Add(1)%2 == 0 {
				return &pb.MergeResponse{Result: &pb.MergeResponse_Both{Both: &pb.Both{}}}, nil
			}
			return right, nil
		}},

		"merge: the goal's": {merge: func(q *pb.MergeRequest, _ *pb.MergeResponse) (*pb.MergeResponse, error) {
			return mergedAs(q.GetGoal()), nil
		}},
		"merge: empty too early": {merge: func(q *pb.MergeRequest, right *pb.MergeResponse) (*pb.MergeResponse, error) {
			if q.GetActive() != q.GetGoal() {
				return isEmpty, nil
			}
			return right, nil
		}},
		"merge: a filter excludes itself": {merge: func(q *pb.MergeRequest, right *pb.MergeResponse) (*pb.MergeResponse, error) {
			if q.GetActive() == q.GetGoal() {
				return isEmpty, nil
			}
			return right, nil
		}},
		"merge: one too many": {merge: change(func(args *readerArgs) {
			if args.Max != nil {
				*args.Max++
			}
		})},
		"merge: the third is lost": {merge: change(func(args *readerArgs) { args.Tags = args.Tags[:min(len(args.Tags), 2)] })},
		"merge: does not compile":  {merge: func(*pb.MergeRequest, *pb.MergeResponse) (*pb.MergeResponse, error) { return mergedAs("{}"), nil }},
		"merge: refuses":           {merge: refuseGoal},
		"merge: nothing":           {merge: func(*pb.MergeRequest, *pb.MergeResponse) (*pb.MergeResponse, error) { return &pb.MergeResponse{}, nil }},
		"merge: LAST is not the goal's": {
			describe: first(func(t *pb.FilterType) { t.Rule = pb.MergeRule_MERGE_RULE_LAST }),
		},
		"merge: CUSTOM without Merge": {
			describe: first(func(t *pb.FilterType) { t.Rule, t.Merges = pb.MergeRule_MERGE_RULE_CUSTOM, false }),
		},

		"limits: takes unknown arguments": {compile: func(args string, right *pb.CompileResponse) (*pb.CompileResponse, error) {
			if strings.Contains(args, "noSuchArgument") {
				return compiledAs("true", "All"), nil
			}
			return right, nil
		}},
		"limits: takes wrong types": {compile: func(args string, right *pb.CompileResponse) (*pb.CompileResponse, error) {
			if strings.Contains(args, `"5"`) {
				return compiledAs("(range pageViews 5 _)", "At least 5"), nil
			}
			return right, nil
		}},
		"limits: a refusal without words": {compile: refuseAs(func(e *pb.ArgumentError) { e.Message = "" })},
		"limits: a refusal without path":  {compile: refuseAs(func(e *pb.ArgumentError) { e.Path, e.Message = "", "bad filter" })},
		"limits: a path of nowhere":       {compile: refuseAs(func(e *pb.ArgumentError) { e.Path = "args." + e.Path })},
		"limits: a huge list hangs": {compile: func(args string, right *pb.CompileResponse) (*pb.CompileResponse, error) {
			if len(args) > 100_000 {
				select {} // for ever
			}
			return right, nil
		}},
		"limits: a huge list makes a huge predicate": {compile: func(args string, right *pb.CompileResponse) (*pb.CompileResponse, error) {
			if len(args) > 100_000 {
				return compiledAs(`(in tags "`+strings.Repeat("a", filter.MaxText)+`")`, "Many tags"), nil
			}
			return right, nil
		}},
		"limits: a huge list makes a huge label": {compile: func(args string, right *pb.CompileResponse) (*pb.CompileResponse, error) {
			if len(args) > 100_000 {
				return compiledAs("true", args), nil
			}
			return right, nil
		}},

		"speed: slow": {compile: func(_ string, right *pb.CompileResponse) (*pb.CompileResponse, error) {
			<-time.After(25 * time.Millisecond) // a look-up elsewhere
			return right, nil
		}, describe: first(func(t *pb.FilterType) { t.Merges = false })},
	}
	for name, w := range list {
		w.FilterPluginServer = plugins.Server("right", "1.0.0", plugins.Of(reader{}))
		list[name] = w
	}
	return list
}

// change changes the arguments that a merge answers with.
func change(how func(*readerArgs)) func(*pb.MergeRequest, *pb.MergeResponse) (*pb.MergeResponse, error) {
	return func(_ *pb.MergeRequest, right *pb.MergeResponse) (*pb.MergeResponse, error) {
		if right.GetArgs() == "" {
			return right, nil
		}
		args, err := plugins.Decode[readerArgs]([]byte(right.GetArgs()))
		if err != nil {
			return nil, err
		}
		how(&args)
		changed, err := json.Marshal(args)
		return mergedAs(string(changed)), err
	}
}

// dying is a reader that ends its process over a long list.
type dying struct{ reader }

func (d dying) Compile(ctx context.Context, args readerArgs) (filter.Expr, error) {
	if len(args.Tags) > plugins.MaxValues {
		os.Exit(5)
	}
	return d.reader.Compile(ctx, args)
}

func refuseGoal(*pb.MergeRequest, *pb.MergeResponse) (*pb.MergeResponse, error) {
	return &pb.MergeResponse{Result: &pb.MergeResponse_GoalError{GoalError: &pb.ArgumentError{Path: "min", Message: "I do not like it"}}}, nil
}

func refuseAs(change func(*pb.ArgumentError)) func(string, *pb.CompileResponse) (*pb.CompileResponse, error) {
	return func(_ string, right *pb.CompileResponse) (*pb.CompileResponse, error) {
		if e := right.GetError(); e != nil {
			change(e)
		}
		return right, nil
	}
}
