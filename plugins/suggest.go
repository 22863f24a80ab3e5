package plugins

import "github.com/goalgraph/goalgraph/plugins/pb"

// Argument says what completes the values of an argument, so that people are shown a form of it.
type Argument struct {
	// Path leads to the argument in the input: "is", or "page.is" in an input within the input.
	Path    string
	Suggest Suggestion
	// Key and KeyPath say which dimension's values SuggestValues are: those of the type's Dimension under Key, or under the
	// key that the argument at KeyPath has. At most one is set.
	Key, KeyPath string
}

// Suggestion is what completes the values of an argument. Its values are those of the graph's FilterSuggestion.
type Suggestion string

const (
	// SuggestValues are the values that sessions have in the type's Dimension.
	SuggestValues Suggestion = "VALUES"
	// SuggestEvents are the names of events.
	SuggestEvents Suggestion = "EVENTS"
	// SuggestExperiments are the keys of experiments.
	SuggestExperiments Suggestion = "EXPERIMENTS"
	// SuggestProperties are the keys of properties.
	SuggestProperties Suggestion = "PROPERTIES"
	// SuggestSegments are the ids of segments.
	SuggestSegments Suggestion = "SEGMENTS"
)

// Proto returns the suggestion as the protocol writes it, unspecified for a value that is not one of these.
func (s Suggestion) Proto() pb.Suggestion {
	return pb.Suggestion(pb.Suggestion_value["SUGGESTION_"+string(s)])
}

// SuggestionOf returns the suggestion that the protocol's value stands for, empty for none.
func SuggestionOf(suggestion pb.Suggestion) Suggestion {
	switch suggestion {
	case pb.Suggestion_SUGGESTION_VALUES:
		return SuggestValues
	case pb.Suggestion_SUGGESTION_EVENTS:
		return SuggestEvents
	case pb.Suggestion_SUGGESTION_EXPERIMENTS:
		return SuggestExperiments
	case pb.Suggestion_SUGGESTION_PROPERTIES:
		return SuggestProperties
	case pb.Suggestion_SUGGESTION_SEGMENTS:
		return SuggestSegments
	}
	return ""
}

// argumentsOf returns arguments as the protocol writes them.
func argumentsOf(arguments []Argument) []*pb.Argument {
	list := make([]*pb.Argument, len(arguments))
	for i, a := range arguments {
		list[i] = &pb.Argument{Path: a.Path, Suggest: a.Suggest.Proto(), Key: a.Key, KeyPath: a.KeyPath}
	}
	return list
}
