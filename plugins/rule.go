package plugins

import "github.com/goalgraph/goalgraph/plugins/pb"

// Rule is a merge rule: how an active segment's filter and a goal's filter of the same
// type are merged. Its values are those of the graph's MergeRule.
type Rule string

const (
	// Last uses the goal's filter.
	Last Rule = "LAST"
	// Union is for filters that list values which must all be there: merged, the
	// values of both.
	Union Rule = "UNION"
	// Intersection is for filters that list what is allowed: merged, only what both
	// allow.
	Intersection Rule = "INTERSECTION"
	// Custom leaves it to the type's Merge.
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
