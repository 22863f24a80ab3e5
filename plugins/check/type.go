package check

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/vektah/gqlparser/v2/ast"

	"github.com/goalgraph/goalgraph/plugins"
	"github.com/goalgraph/goalgraph/plugins/pb"
)

// typeChecker checks one filter type.
type typeChecker struct {
	*checker
	plugins.Description
	merges    bool
	generator *generator
	random    *rand.Rand
	// accepted are filters that compile, and refused ones that do not, all of the
	// input's types.
	accepted, refused []compiled
	// badLabels tells that labels of these are bad already.
	badLabels bool
	// merged are the answers to merges.
	merged []merged
}

func (c *checker) checkType(d *pb.FilterType) {
	c.faults = 0
	r := &Result{Rule: Description, Type: d.GetName()}
	t, _, err := Type(d)
	if err != nil {
		r.find("Correct it in Describe. No server loads the type as it is.", "%s.", capital(plain(err.Error())))
		c.add(r)
		return
	}
	tc := &typeChecker{checker: c, Description: t, merges: d.GetMerges(), generator: newGenerator(t)}
	tc.random = tc.generator.random
	tc.checkTexts(r)
	arguments := make([]string, len(tc.generator.input.Fields))
	for i, field := range tc.generator.input.Fields {
		arguments[i] = field.Name
	}
	r.Tried = fmt.Sprintf("%s: %s", t.Input, strings.Join(arguments, ", "))
	c.add(r)

	for _, rule := range []struct {
		name  string
		check func(*Result)
	}{
		{Compile, tc.checkCompile},
		{Label, tc.checkLabels},
		{Merge, tc.checkMerges},
		{Purity, tc.checkPurity},
		{Limits, tc.checkLimits},
		{Speed, tc.checkSpeed},
	} {
		if c.ctx.Err() != nil || c.faults >= maxFaults {
			return
		}
		r := &Result{Rule: rule.name, Type: t.Name}
		rule.check(r)
		c.add(r)
		if rule.name == Compile && len(tc.accepted) == 0 {
			return
		}
	}
}

// checkTexts checks that the schema's documentation is there.
func (t *typeChecker) checkTexts(r *Result) {
	const advice = `Write one in the SDL, a "string" before the name: the people who write queries read it in GraphiQL and in their editors.`
	if t.Description.Description == "" {
		r.find("Say which sessions it matches, and how two such filters merge.", "The filter type has no description.")
	}
	definitions := make([]*ast.Definition, 0, len(t.generator.definitions))
	for _, definition := range t.generator.definitions {
		definitions = append(definitions, definition)
	}
	slices.SortFunc(definitions, func(a, b *ast.Definition) int { return strings.Compare(a.Name, b.Name) })
	for _, definition := range definitions {
		missing := func(name, description string) {
			if strings.TrimSpace(description) == "" {
				r.find(advice, "%s has no description.", name)
			}
		}
		missing(definition.Name, definition.Description)
		for _, field := range definition.Fields {
			missing(definition.Name+"."+field.Name, field.Description)
		}
		for _, value := range definition.EnumValues {
			missing(definition.Name+"."+value.Name, value.Description)
		}
	}
}

// How many filters are tried, and how many of those that compile are kept.
const (
	tries = 300
	kept  = 40
)

// checkCompile finds filters that compile.
func (t *typeChecker) checkCompile(r *Result) {
	seen := map[string]bool{}
	given := map[string]bool{} // arguments that some accepted filter has
	fields := t.generator.input.Fields
	for i := 0; i < tries && len(t.accepted) < kept && t.faults < maxFaults; i++ {
		object := t.generator.object(t.generator.input, 0, fields[i%len(fields)].Name)
		args := encode(object)
		if seen[args] {
			continue
		}
		seen[args] = true
		answer, f := t.compile(t.Name, args)
		switch {
		case f != nil:
			f.report(r, asked("Compile", args))
		case answer.refused != nil:
			t.refused = append(t.refused, answer)
		default:
			t.accepted = append(t.accepted, answer)
			for name := range object {
				given[name] = true
			}
		}
	}
	r.Tried = fmt.Sprintf("%d filters, %d more refused", len(t.accepted), len(t.refused))
	const advice = "Name allowed values in the argument's description, in parentheses: \"Country codes (RO, US)\", \"Hours (0, 23)\". People read them, and this check tries them."
	switch {
	case len(r.Findings) > 0:
	case len(t.accepted) == 0:
		r.find(advice, "None of the %d filters tried compiles. The last, %s, was refused: %s.", len(t.refused),
			excerpt(t.refused[len(t.refused)-1].args), words(t.refused[len(t.refused)-1].refused))
	default:
		for _, field := range fields {
			if !given[field.Name] {
				r.find(advice, "None of the filters tried with %s compiles.", field.Name)
			}
		}
	}
}

// words returns a refusal for a message.
func words(e *pb.ArgumentError) string {
	if e.GetPath() == "" {
		return fmt.Sprintf("%q", excerpt(e.GetMessage()))
	}
	return fmt.Sprintf("%q at %q", excerpt(e.GetMessage()), excerpt(e.GetPath()))
}

// maxSmallLabel bounds the label of a filter with a few values, in characters.
const maxSmallLabel = 300

func (t *typeChecker) checkLabels(r *Result) {
	r.Tried = fmt.Sprintf("%d labels, such as %q", len(t.accepted), excerpt(t.accepted[0].label))
	defer func() { t.badLabels = len(r.Findings) > 0 }()
	said := map[string]compiled{}
	for _, a := range t.accepted {
		for _, w := range a.warnings {
			if bad := badLine(w.GetMessage(), maxLine); bad != "" {
				r.find(fmt.Sprintf("Say what probably is wrong and what to write instead, in a single line of at most %d characters.", maxLine), "A warning about %s %s.", excerpt(a.args), bad)
			}
		}
		if bad := badLine(a.label, maxSmallLabel); bad != "" {
			r.find(fmt.Sprintf("Describe the filter in a single line of at most %d characters, for example \"Country is RO or US\". If there are many values, name some and count the others.", maxSmallLabel),
				"The label of %s %s: %q.", excerpt(a.args), bad, excerpt(a.label))
			continue
		}
		other, found := said[a.label]
		if !found {
			said[a.label] = a
		} else if other.predicate.String() != a.predicate.String() {
			r.find("Put everything that the arguments say into the label, so that people can tell filters apart.",
				"%s and %s match different sessions but have the same label, %q.", excerpt(other.args), excerpt(a.args), excerpt(a.label))
		}
	}
}

const impure = "Make answers depend on the arguments only, as servers remember them: no clock, no randomness, no state, no order of calls. Sort what comes out of a map."

// checkPurity asks everything again: backwards, all at once, and of a new process.
func (t *typeChecker) checkPurity(r *Result) {
	before := slices.Concat(t.accepted, t.refused[:min(len(t.refused), kept)])
	ways := []string{"asked again", "asked concurrently"}
	t.again(r, before, ways[0])
	t.atOnce(r, before, ways[1])
	if t.subject.path != "" && t.ctx.Err() == nil {
		ways = append(ways, "asked after a restart")
		if err := t.start(); err != nil {
			r.find("Make Describe answer the same at every start, and make every start succeed. Servers restart a plugin that has died.", "After a restart, %s.", plain(err.Error()))
			t.faults = maxFaults
			return
		}
		t.again(r, before, ways[2])
	}
	r.Tried = fmt.Sprintf("%d filters and %d merges %s", len(before), len(t.merged), strings.Join(ways, ", "))
}

// again asks all in the reverse order.
func (t *typeChecker) again(r *Result, before []compiled, way string) {
	for _, b := range slices.Backward(before) {
		if t.faults >= maxFaults {
			return
		}
		answer, f := t.compile(t.Name, b.args)
		t.compare(r, b, answer, f, way)
	}
	for _, b := range slices.Backward(t.merged) {
		if t.faults >= maxFaults {
			return
		}
		answer, f := t.ask(b.active, b.goal)
		if f != nil {
			f.report(r, asked("Merge", b.active.args, b.goal.args))
		} else if !b.same(answer) {
			r.find(impure, "%s, %s, answered %s, but %s before.", asked("Merge", b.active.args, b.goal.args), way, answer, b)
		}
	}
}

func (t *typeChecker) compare(r *Result, before, answer compiled, f *fault, way string) {
	if f != nil {
		f.report(r, asked("Compile", before.args))
	} else if !before.same(answer) {
		r.find(impure, "%s, %s, answered %s, but %s before.", asked("Compile", before.args), way, answer, before)
	}
}

func (a compiled) String() string {
	if a.refused != nil {
		return "the refusal " + words(a.refused)
	}
	return fmt.Sprintf("%s, %q", excerpt(a.predicate.String()), excerpt(a.label))
}

// atOnce asks all by several goroutines, each in an order of its own.
func (t *typeChecker) atOnce(r *Result, before []compiled, way string) {
	type second struct {
		compiled
		fault *fault
	}
	const askers = 8
	orders := make([][]int, askers)
	answers := make([][]second, askers)
	for i := range orders {
		orders[i], answers[i] = t.random.Perm(len(before)), make([]second, len(before))
	}
	var done sync.WaitGroup
	for i, order := range orders {
		// A checker of its own, for the count of faults. It starts nothing again.
		c := &checker{ctx: t.ctx, client: t.client, options: t.options, lasting: true}
		done.Go(func() {
			for _, at := range order {
				if c.faults < maxFaults {
					answers[i][at].compiled, answers[i][at].fault = c.compile(t.Name, before[at].args)
				}
			}
		})
	}
	done.Wait()
	for i := range answers {
		for at, b := range before {
			if a := answers[i][at]; a.fault != nil || a.args != "" {
				t.compare(r, b, a.compiled, a.fault, way)
			}
		}
	}
}

// maxMedian is how long half of the filters may take to compile. A question with
// filters that were never asked waits for them one after the other.
const maxMedian = 20 * time.Millisecond

func (t *typeChecker) checkSpeed(r *Result) {
	const least = 50
	var took []time.Duration
	for len(took) < least {
		for _, a := range t.accepted {
			answer, f := t.compile(t.Name, a.args)
			if f != nil {
				f.report(r, asked("Compile", a.args))
				return
			}
			took = append(took, answer.took)
		}
	}
	slices.Sort(took)
	median := took[len(took)/2]
	r.Tried = fmt.Sprintf("half of %[2]d filters compile within %[1]s", brief(median), len(took))
	if median > maxMedian {
		r.find("Do slow work once, when the plugin starts: read files, compile patterns, build tables.",
			"Half of the filters take more than %s to compile.", brief(maxMedian))
	}
}
