package graph_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/vektah/gqlparser/v2"
	"github.com/vektah/gqlparser/v2/ast"

	"github.com/goalgraph/goalgraph/graph"
	"github.com/goalgraph/goalgraph/model"
	"github.com/goalgraph/goalgraph/model/store/storetest"
)

// What an operation gets.
const (
	present = "PRESENT"
	absent  = "ABSENT" // null, without an error
)

// onAllSites are the fields that are about no site: their scope must be on all of them.
var onAllSites = []string{
	"Query.users", "Mutation.createSite", "Mutation.createUser", "Mutation.updateUserRoles", "Mutation.disableUser", "Mutation.enableUser", "Mutation.resetUser",
}

// ofUsers are the fields about logins, of which keys have none.
var ofUsers = []string{"Mutation.endLogin"}

// census asks for all that the served schema has, by several principals, of several sites.
type census struct {
	*testGraph
	schema *ast.Schema
	made   int
}

func newCensus(t *testing.T) *census {
	g := newGraph(t, storetest.SQLite(t))
	text, err := graph.SDL(g.host.Acquire().Types())
	if err != nil {
		t.Fatal(err)
	}
	schema, err := gqlparser.LoadSchema(&ast.Source{Input: text})
	if err != nil {
		t.Fatal(err)
	}
	return &census{testGraph: g, schema: schema}
}

// scopeOf is the scope that a field says.
func scopeOf(field *ast.FieldDefinition) model.Scope {
	directive := field.Directives.ForName("access")
	if directive == nil {
		return ""
	}
	return model.Scope(directive.Arguments.ForName("scope").Value.Raw)
}

// target is what arguments name: the objects of a site, by their kind.
type target struct {
	name string
	site int64 // 0 where it does not exist
	ids  map[string]string
}

// newTarget makes a site with one of everything.
func (m *census) newTarget(name string) *target {
	m.Helper()
	m.made++
	domain := fmt.Sprintf("%s-%d.example", name, m.made)
	t := &target{name: name, ids: map[string]string{}}
	t.ids["Site"] = m.testGraph.site(domain, "UTC")
	t.ids["Segment"] = m.segment(t.ids["Site"], name+" segment", raw(`{"country":{"is":"RO"}}`))
	t.ids["Goal"] = m.goal(t.ids["Site"], "buy", raw(`{"events":{"all":"buy"}}`))
	t.ids["Unused"] = m.goal(t.ids["Site"], "look", raw(`{"events":{"all":"look"}}`))
	t.ids["Experiment"] = m.experiment(t.ids["Site"], "headline", t.ids["Goal"])
	m.start(t.ids["Experiment"], "2026-05-01T00:00:00Z")
	t.ids["Draft"] = m.experiment(t.ids["Site"], "button", t.ids["Goal"])
	m.write(domain, page("visitor-7", "2026-05-17T10:00:00Z", "/", country("RO"), from("www.example"), tagged("t")), event("visitor-7", "2026-05-17T10:01:00Z", "buy", 5),
		assignment("visitor-7", "2026-05-17T10:00:30Z", "headline", "a"))
	var data struct {
		Site struct {
			Sessions struct{ Nodes []struct{ ID string } }
		}
		CreateAPIKey struct{ APIKey struct{ ID string } }
		CreateUser   struct{ User struct{ ID string } }
	}
	m.into(&data, `query($s: ID!) { site(id: $s) { sessions(range: {from: "2026-01-01T00:00:00Z"}) { nodes { id } } } }`, vars{"s": t.ids["Site"]})
	t.ids["Session"] = data.Site.Sessions.Nodes[0].ID
	m.into(&data, `mutation($s: ID!) { createApiKey(input: {name: "k", scope: READ, sites: [$s]}) { apiKey { id } } }`, vars{"s": t.ids["Site"]})
	t.ids["ApiKey"] = data.CreateAPIKey.APIKey.ID
	m.into(&data, `mutation($s: ID!, $n: String!) { createUser(input: {name: $n, roles: [{site: $s, role: VIEWER}]}) { user { id } } }`, vars{"s": t.ids["Site"], "n": domain})
	t.ids["User"] = data.CreateUser.User.ID
	t.ids["Login"] = encoded("Login:nobodys")
	t.ids["Visitor"] = "visitor-7"
	site, err := m.store.SiteByDomain(m.Context(), domain)
	if err != nil {
		m.Fatal(err)
	}
	t.site = site.ID
	return t
}

// noTarget names what does not exist.
func noTarget() *target {
	t := &target{name: "no site", ids: map[string]string{"Session": encoded("Session:999999/1/1"), "Login": encoded("Login:none"), "Visitor": "visitor-none", "Unused": encoded("Goal:999998"), "Draft": encoded("Experiment:999998")}}
	for _, noun := range []string{"Site", "Segment", "Goal", "Experiment", "ApiKey", "User"} {
		t.ids[noun] = encoded(noun + ":999999")
	}
	return t
}

// principalsOf are six principals, five of them of one site.
func principalsOf(site int64) map[string]*model.Principal {
	return map[string]*model.Principal{
		"anonymous": {Kind: model.AnonymousPrincipal}, "WRITE": keyOf(1, model.WriteScope, site), "READ": keyOf(2, model.ReadScope, site),
		"EDIT": keyOf(3, model.EditScope, site), "ADMIN": keyOf(4, model.AdminScope, site), "ADMIN of all": keyOf(5, model.AdminScope, model.AllSites),
	}
}

// nounsOfArguments says which kind of object an argument of the type ID names. Where it is called id, that is in the name of
// the field or of the input.
var nounsOfArguments = map[string]string{
	"segments": "Segment", "goals": "Goal", "goal": "Goal", "steps": "Goal", "siteId": "Site", "site": "Site", "sites": "Site", "segmentId": "Segment", "goalId": "Unused",
	"visitorId": "Visitor", "experimentId": "Experiment", "metric": "Goal", "primaryMetric": "Goal", "secondaryMetrics": "Unused",
}

func (m *census) nounOf(owner, argument string) string {
	m.Helper()
	if owner == "GuardrailInput" {
		return "Unused" // as the primary metric is another goal
	}
	if noun, ok := nounsOfArguments[argument]; ok {
		return noun
	}
	switch owner {
	case "Query.node":
		return "Session"
	case "Query.nodes":
		return "Experiment"
	case "Mutation.deleteGoal", "Mutation.deleteGoals":
		return "Unused" // by experiments
	case "Mutation.startExperiment", "Mutation.archiveExperiment", "Mutation.deleteExperiment", "Mutation.archiveExperiments", "Mutation.deleteExperiments":
		return "Draft"
	}
	for _, noun := range []string{"Experiment", "Segment", "Goal", "ApiKey", "User", "Login", "Site"} {
		if strings.TrimSuffix(argument, "s") == "id" && strings.Contains(strings.ToLower(owner), strings.ToLower(noun)) {
			return noun
		}
	}
	m.Fatalf("the argument %s of %s is an ID of nobody knows what: say so in nounsOfArguments", argument, owner)
	return ""
}

// texts are arguments that must be given and are neither ids nor have one value for all of their type.
var texts = map[string]string{"Site.values.filterType": "country", "Site.goal.key": "buy", "Site.experiment.key": "headline"}

// literal returns a value of a type for an argument; "" for one that is left out. All ids are given, and what must be.
func (m *census) literal(owner, name string, typ *ast.Type, hasDefault bool, t *target) string {
	m.Helper()
	if typ.Elem != nil {
		element := m.literal(owner, name, typ.Elem, !typ.NonNull || hasDefault, t)
		if element == "" && typ.NonNull && !hasDefault {
			return "[]"
		}
		if element == "" {
			return ""
		}
		return "[" + element + "]"
	}
	required := typ.NonNull && !hasDefault
	switch definition := m.schema.Types[typ.NamedType]; {
	case typ.NamedType == "ID" && name == "after":
		return "" // which leaves nothing
	case typ.NamedType == "ID":
		return fmt.Sprintf("%q", t.ids[m.nounOf(owner, name)])
	case typ.NamedType == "FilterInput" || !required && (definition.Kind != ast.InputObject || typ.NamedType == "TimeRange"):
		return ""
	case typ.NamedType == "TimeRange": // of its fields, one is to be given
		return "{name: TODAY}"
	case definition.Kind == ast.Enum:
		if definition.Name == "Scope" {
			return "READ"
		}
		return definition.EnumValues[0].Name
	case definition.Kind == ast.InputObject:
		return m.object(definition, required, t)
	case typ.NamedType == "String":
		if text, ok := texts[owner+"."+name]; ok {
			return fmt.Sprintf("%q", text)
		}
		if !strings.HasSuffix(owner, "Input") {
			break
		}
		m.made++
		return fmt.Sprintf(`"made %d"`, m.made)
	case typ.NamedType == "Float":
		return "0.1"
	case typ.NamedType == "Time":
		return `"2026-01-01T00:00:00Z"`
	}
	m.Fatalf("the argument %s of %s is of the type %s, which the test does not make", name, owner, typ)
	return ""
}

// object returns an input object; "" where it is not required and names no object.
func (m *census) object(definition *ast.Definition, required bool, t *target) string {
	m.Helper()
	var fields []string
	named := false
	for _, field := range definition.Fields {
		if field.Type.Name() == definition.Name {
			continue
		}
		if value := m.literal(definition.Name, field.Name, field.Type, field.DefaultValue != nil, t); value != "" {
			fields = append(fields, field.Name+": "+value)
			named = named || field.Type.Name() == "ID"
		}
	}
	if !required && !named {
		return ""
	}
	return "{" + strings.Join(fields, ", ") + "}"
}

// call returns a field with its arguments.
func (m *census) call(typ string, field *ast.FieldDefinition, t *target) string {
	m.Helper()
	var arguments []string
	for _, argument := range field.Arguments {
		if value := m.literal(typ+"."+field.Name, argument.Name, argument.Type, argument.DefaultValue != nil, t); value != "" {
			arguments = append(arguments, argument.Name+": "+value)
		}
	}
	if len(arguments) == 0 {
		return field.Name
	}
	return field.Name + "(" + strings.Join(arguments, ", ") + ")"
}

// route is how a type is reached: fields from Query on.
type route []struct {
	typ   string
	field *ast.FieldDefinition
}

// routes finds a way to each object type, by site where there is one.
func (m *census) routes() map[string]route {
	found := map[string]route{"Query": {}}
	extend := func(from string) (reached []string) {
		for _, field := range m.schema.Types[from].Fields {
			to := m.schema.Types[field.Type.Name()]
			if to.Kind != ast.Object || found[to.Name] != nil || strings.HasPrefix(field.Name, "__") {
				continue
			}
			found[to.Name] = append(slices.Clone(found[from]), struct {
				typ   string
				field *ast.FieldDefinition
			}{from, field})
			reached = append(reached, to.Name)
		}
		return reached
	}
	site := m.schema.Query.Fields.ForName("site")
	found["Site"] = route{{"Query", site}}
	for _, from := range []string{"Site", "Query"} {
		for queue := []string{from}; len(queue) > 0; queue = queue[1:] {
			queue = append(queue, extend(queue[0])...)
		}
	}
	return found
}

// query returns the query that selects a field by a route.
func (m *census) query(way route, typ string, field *ast.FieldDefinition, t *target) string {
	m.Helper()
	text := m.call(typ, field, t)
	if kind := m.schema.Types[field.Type.Name()].Kind; kind == ast.Object || kind == ast.Interface {
		text += " { __typename }"
	}
	for _, step := range slices.Backward(way) {
		text = m.call(step.typ, step.field, t) + " { " + text + " }"
	}
	return "{ " + text + " }"
}

// outcome says what an answer has: the code of its first error, or whether there is anything.
func outcome(a answer) string {
	if len(a.Errors) > 0 {
		return a.Errors[0].Extensions.Code
	}
	var fields map[string]json.RawMessage
	if json.Unmarshal(a.Data, &fields) == nil {
		for _, value := range fields {
			if string(value) == "null" || string(value) == "[null]" {
				return absent
			}
		}
	}
	return present
}

// expected is what a principal gets of fields, one in the other, the first of a root type, about a target.
func expected(p *model.Principal, fields route, t *target, missing string) string {
	root := fields[0].typ + "." + fields[0].field.Name
	scope := scopeOf(fields[0].field)
	switch {
	case scope == "" && len(p.Grants) == 0:
		return absent // the viewer is nobody
	case scope == "":
		return present
	case len(p.Grants) == 0:
		return string(model.Unauthenticated)
	case !p.MaySomewhere(scope) || slices.Contains(onAllSites, root) && !p.May(scope, model.AllSites):
		return string(model.Forbidden)
	case slices.Contains(ofUsers, root):
		return string(model.NotFound)
	case t == nil:
		t = &target{site: p.Grants[0].Site} // whatever the principal has
	case t.site == 0 || !p.May(model.ReadScope, t.site):
		return missing
	}
	for _, step := range fields {
		if scope := scopeOf(step.field); scope != "" && !p.May(scope, t.site) {
			return string(model.Forbidden)
		}
		if step.field.Type.Name() == "ExperimentPlan" { // there is nothing to plan from
			return string(model.FailedPrecondition)
		}
	}
	return present
}

// namesIDs tells whether a call names an object.
func namesIDs(call string, t *target) bool {
	for _, id := range t.ids {
		if strings.Contains(call, id) {
			return true
		}
	}
	return false
}

// Every field of the served schema, asked for by six principals of their own site, of another one and of none.
func TestAccessOfFields(t *testing.T) {
	t.Parallel()
	m := newCensus(t)
	own, other, none := m.newTarget("own"), m.newTarget("other"), noTarget()
	routes := m.routes()
	asked := 0
	for name, definition := range m.schema.Types {
		if definition.Kind != ast.Object || definition.BuiltIn || definition == m.schema.Mutation || definition == m.schema.Subscription || strings.HasPrefix(name, "__") {
			continue
		}
		way, reached := routes[name]
		if !reached {
			if !strings.HasSuffix(name, "Payload") && !m.isAnswer(name) {
				t.Errorf("no field of Query leads to %s", name)
			}
			continue
		}
		for _, field := range definition.Fields {
			if strings.HasPrefix(field.Name, "__") {
				continue
			}
			fields := append(slices.Clone(way), struct {
				typ   string
				field *ast.FieldDefinition
			}{name, field})
			for who, p := range principalsOf(own.site) {
				answers := map[string]answer{}
				for _, about := range []*target{own, other, none} {
					query := m.query(way, name, field, about)
					site := about
					if !namesIDs(query, about) {
						site = nil
					}
					a := m.as(p).ask(query, nil)
					asked++
					answers[about.name] = a
					if got, want := outcome(a), expected(p, fields, site, absent); got != want {
						t.Errorf("%s, %s, %s: got %s, want %s: %v", who, about.name, query, got, want, a.Errors)
					}
				}
				if !p.May(model.ReadScope, other.site) && !sameAnswer(answers["other"], answers["no site"]) {
					t.Errorf("%s tells %s.%s of another site from what does not exist: %v %v", who, name, field.Name, answers["other"], answers["no site"])
				}
			}
		}
	}
	t.Logf("%d questions", asked)
}

// isAnswer tells whether a type is that of a subscription's answer.
func (m *census) isAnswer(name string) bool {
	return slices.ContainsFunc(m.schema.Subscription.Fields, func(field *ast.FieldDefinition) bool { return field.Type.Name() == name })
}

func sameAnswer(a, b answer) bool {
	return a.status == b.status && string(a.Data) == string(b.Data) && mustJSON(a.Errors) == mustJSON(b.Errors)
}

// Every mutation, by the same. What is refused changes nothing.
func TestAccessOfMutations(t *testing.T) {
	t.Parallel()
	m := newCensus(t)
	for _, field := range m.schema.Mutation.Fields {
		own, other, none := m.newTarget("own"), m.newTarget("other"), noTarget()
		fields := route{{"Mutation", field}}
		before := m.changes()
		for who, p := range principalsOf(own.site) {
			answers := map[string]answer{}
			for _, about := range []*target{own, other, none} {
				mutation := m.mutation(field, about)
				site := about
				if !namesIDs(mutation, about) {
					site = nil
				}
				want := expected(p, fields, site, string(model.NotFound))
				if want == present { // on something new, for it may be gone afterwards
					fresh := m.newTarget("fresh")
					p := principalsOf(fresh.site)[who]
					if got := m.as(p).ask(m.mutation(field, fresh), nil); outcome(got) != present {
						t.Errorf("%s, %s, %s: not done: %v", who, about.name, field.Name, got.Errors)
					}
					before = m.changes()
					continue
				}
				a := m.as(p).ask(mutation, nil)
				answers[about.name] = a
				if got := outcome(a); got != want {
					t.Errorf("%s, %s, %s: got %s, want %s: %v", who, about.name, mutation, got, want, a.Errors)
				}
			}
			if after := m.changes(); after != before {
				t.Errorf("%s: what was refused has changed something: %s", who, field.Name)
			}
			if !p.May(model.ReadScope, other.site) && !sameAnswer(answers["other"], answers["no site"]) {
				t.Errorf("%s tells %s of another site from what does not exist: %v %v", who, field.Name, answers["other"], answers["no site"])
			}
		}
	}
}

func (m *census) mutation(field *ast.FieldDefinition, about *target) string {
	m.Helper()
	text := m.call("Mutation", field, about)
	if kind := m.schema.Types[field.Type.Name()].Kind; kind == ast.Object {
		text += " { __typename }"
	}
	return "mutation { " + text + " }"
}

// changes is how many changes the audit log has.
func (m *census) changes() int {
	m.Helper()
	n, err := m.store.CountChanges(m.Context(), allChanges)
	if err != nil {
		m.Fatal(err)
	}
	return n
}
