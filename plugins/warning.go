package plugins

import (
	"regexp"
	"strings"

	"github.com/goalgraph/goalgraph/plugins/pb"
)

// Warner is a Filter that says what is probably a mistake in arguments which it accepts: a path without its slash, which
// hardly any session has. What no session can match is refused by Compile instead.
type Warner[A any] interface {
	// Warn returns warnings about args, which compile, at most MaxWarnings.
	Warn(args A) []Warning
}

// Warning says what is probably a mistake in arguments that compile.
type Warning struct {
	Code WarningCode
	// Path leads to the argument ("is[0]"); empty if the warning is about the filter as a whole.
	Path string
	// Message says what probably happens and what to write instead, in words for a person.
	Message string
}

// MaxWarnings is how many warnings of one filter are shown.
const MaxWarnings = 20

// WarningCode tells machines what a warning is about. Its values are among those of the graph's FilterWarningCode.
type WarningCode string

const (
	// NoLeadingSlash is of paths that do not begin with a slash.
	NoLeadingSlash WarningCode = "NO_LEADING_SLASH"
	// RegularExpression is of globs that look like a regular expression.
	RegularExpression WarningCode = "REGULAR_EXPRESSION"
	// LiteralStar is of values with a star that stands for itself.
	LiteralStar WarningCode = "LITERAL_STAR"
	// OtherWarning is of all else.
	OtherWarning WarningCode = "OTHER"
)

// Proto returns the code as the protocol writes it.
func (c WarningCode) Proto() pb.WarningCode {
	return pb.WarningCode(pb.WarningCode_value["WARNING_CODE_"+string(c)])
}

// WarningCodeOf returns the code that the protocol's value stands for.
func WarningCodeOf(code pb.WarningCode) WarningCode {
	switch code {
	case pb.WarningCode_WARNING_CODE_NO_LEADING_SLASH:
		return NoLeadingSlash
	case pb.WarningCode_WARNING_CODE_REGULAR_EXPRESSION:
		return RegularExpression
	case pb.WarningCode_WARNING_CODE_LITERAL_STAR:
		return LiteralStar
	}
	return OtherWarning
}

// Doubter is Values that tell which of them are probably mistakes.
type Doubter interface {
	// Doubt returns a warning about a value that has a normal spelling, as it was written, without a path. ok is false if
	// there is none.
	Doubt(value string) (w Warning, ok bool)
}

// Doubts returns the warnings about the values of a list, at most MaxWarnings; none if the Values are no Doubter.
func Doubts(path string, list []string, values Values) (warnings []Warning) {
	doubter, ok := values.(Doubter)
	if !ok {
		return nil
	}
	for i, value := range list {
		if _, err := values.Normal(value); err != nil || len(warnings) == MaxWarnings {
			continue
		}
		if w, doubted := doubter.Doubt(value); doubted {
			w.Path = At(path, i)
			warnings = append(warnings, w)
		}
	}
	return warnings
}

// Doubt warns of a star.
func (Exact) Doubt(value string) (Warning, bool) {
	if !isGlob(value) {
		return Warning{}, false
	}
	return Warning{Code: LiteralStar, Message: "this filter compares whole values, in which * stands for itself; write each value out"}, true
}

// expression finds what is rather meant for a regular expression than for a glob: ^ and $ at the ends, slashes around it
// all, and signs that texts hardly have.
var expression = regexp.MustCompile(`^\^|\$$|^\.\*|/\.\*|\.\+|\\|\[\^|\(\?|^/.*\.\*.*/$`)

// Doubt warns of a glob that looks like a regular expression.
func (Globs) Doubt(value string) (Warning, bool) {
	if !expression.MatchString(value) {
		return Warning{}, false
	}
	glob := strings.NewReplacer(".*", "*", ".+", "*", `\`, "", "^", "", "$", "").Replace(value)
	return Warning{
		Code: RegularExpression, Message: "this looks like a regular expression; in a glob, * stands for any characters and all others for themselves: perhaps " + glob,
	}, true
}

// warningsOf returns warnings as the protocol writes them.
func warningsOf(warnings []Warning) []*pb.Warning {
	list := make([]*pb.Warning, min(len(warnings), MaxWarnings))
	for i := range list {
		w := warnings[i]
		list[i] = &pb.Warning{Code: w.Code.Proto(), Path: w.Path, Message: oneLine(w.Message)}
	}
	return list
}
