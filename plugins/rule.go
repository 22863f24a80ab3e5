package plugins

import "github.com/goalgraph/goalgraph/plugins/pb"

// Rule is a merge rule: how an active segment's filter and a goal's filter of
// one type become one. Its values are those of the graph's MergeRule.
type Rule string

const (
	// Last takes the goal's filter.
	Last Rule = "LAST"
	// Union is for filters that list what must all hold: all of both must hold.
	Union Rule = "UNION"
	// Intersection is for filters that list what is allowed: only what both
	// allow is.
	Intersection Rule = "INTERSECTION"
	// Custom is whatever the type's Merge answers.
	Custom Rule = "CUSTOM"
)

// Proto returns the rule as the protocol writes it, unspecified for a value that
// is not one of the four.
func (r Rule) Proto() pb.MergeRule {
	return pb.MergeRule(pb.MergeRule_value["MERGE_RULE_"+string(r)])
}

// RuleOf returns the rule that the protocol's value stands for, empty for none.
func RuleOf(rule pb.MergeRule) Rule {
	switch rule {
	case pb.MergeRule_MERGE_RULE_LAST:
		return Last
	case pb.MergeRule_MERGE_RULE_UNION:
		return Union
	case pb.MergeRule_MERGE_RULE_INTERSECTION:
		return Intersection
	case pb.MergeRule_MERGE_RULE_CUSTOM:
		return Custom
	}
	return ""
}
