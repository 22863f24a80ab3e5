package graph_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/goalgraph/goalgraph/model"
	"github.com/goalgraph/goalgraph/model/store"
	"github.com/goalgraph/goalgraph/model/store/storetest"
)

// keyOf returns the bearer of a key with a scope on sites.
func keyOf(id int64, scope model.Scope, sites ...int64) *model.Principal {
	p := &model.Principal{Kind: model.KeyPrincipal, ID: id, Name: fmt.Sprint("key ", id)}
	for _, site := range sites {
		p.Grants = append(p.Grants, model.Grant{Site: site, Scope: scope})
	}
	return p
}

// encoded returns the id of a text like Site:1.
func encoded(text string) string { return base64.RawURLEncoding.EncodeToString([]byte(text)) }

var allChanges = store.AuditQuery{}

// A key of one site walks the ids of another: by fields that take any id, by lists in fields of its own site, by inputs and by
// cursors. It gets what it gets for ids of nothing, word by word, never sees a name, and changes nothing.
func TestForeignIDs(t *testing.T) {
	t.Parallel()
	graphs(t, func(t *testing.T, g *testGraph) {
		m := &census{testGraph: g}
		own, other := m.newTarget("own"), m.newTarget("hidden")
		none := noTarget()
		operations := []string{
			`{ node(id: $Site) { id ... on Site { name } } }`, `{ node(id: $Segment) { ... on Segment { name site { name } } } }`, `{ node(id: $Goal) { ... on Goal { name site { name } } } }`,
			`{ node(id: $Experiment) { ... on Experiment { name site { name } history { nodes { objectName } } } } }`, `{ node(id: $Session) { ... on Session { visitorId } } }`,
			`{ node(id: $ApiKey) { id } }`, `{ node(id: $User) { id } }`,
			`{ nodes(ids: [$own.Site, $Site, $Segment, $Goal, $Experiment, $Session]) { id ... on Segment { name } ... on Goal { name } } }`,
			`{ site(id: $Site) { name goals { nodes { name } } segments { nodes { name } } auditLog { nodes { objectName } } } }`, `{ site(id: $Segment) { name } }`,
			`{ site(id: $own.Site) { goalCards(segments: [$Segment], range: {from: "2026-01-01T00:00:00Z"}) { cells { sessions } } } }`,
			`{ site(id: $own.Site) { goalCards(goals: [$own.Goal, $Goal], range: {from: "2026-01-01T00:00:00Z"}) { goal { name } cells { conversions } } } }`,
			`{ site(id: $own.Site) { funnel(steps: [$own.Goal, $Goal], range: {from: "2026-01-01T00:00:00Z"}) { segments { steps { sessions } } } } }`,
			`{ site(id: $own.Site) { funnel(steps: [$own.Goal], segments: [$Segment], range: {from: "2026-01-01T00:00:00Z"}) { segments { steps { sessions } } } } }`,
			`{ site(id: $own.Site) { goal(key: "buy") { card(segments: [$Segment], range: {from: "2026-01-01T00:00:00Z"}) { cells { sessions } } } } }`,
			`{ site(id: $own.Site) { experiment(key: "headline") { breakdown(segments: [$Segment]) { segment { name } result { visitors } } } } }`,
			`mutation { updateSite(input: {id: $Site, name: "mine"}) { site { name } } }`, `mutation { deleteSite(id: $Site) { deletedId } }`,
			`mutation { createSegment(input: {siteId: $Site, name: "x", filters: []}) { segment { id } } }`, `mutation { createSegment(input: {siteId: $Site, name: "", filters: []}) { segment { id } } }`,
			`mutation { updateSegment(input: {id: $Segment, name: "mine"}) { segment { name } } }`, `mutation { deleteSegment(id: $Segment) { deletedId } }`,
			`mutation { convertSegmentToGoal(input: {segmentId: $Segment, key: "mine"}) { goal { id } } }`, `mutation { convertGoalToSegment(goalId: $Unused) { segment { name } } }`,
			`mutation { createGoal(input: {siteId: $Site, key: "buy", name: "x"}) { goal { id } } }`, `mutation { updateGoal(input: {id: $Goal, name: "mine"}) { goal { name } } }`,
			`mutation { archiveGoal(id: $Goal) { goal { name } } }`, `mutation { unarchiveGoal(id: $Goal) { goal { name } } }`, `mutation { deleteGoal(id: $Goal) { deletedId } }`, `mutation { deleteGoal(id: $Unused) { deletedId } }`,
			`mutation { createExperiment(input: {siteId: $Site, key: "headline", name: "x"}) { experiment { id } } }`,
			`mutation { createExperiment(input: {siteId: $own.Site, key: "theirs", name: "x", primaryMetric: $Goal}) { experiment { id } } }`,
			`mutation { createExperiment(input: {siteId: $own.Site, key: "theirs", name: "x", secondaryMetrics: [$own.Goal, $Goal]}) { experiment { id } } }`,
			`mutation { updateExperiment(input: {id: $own.Experiment, primaryMetric: $Goal}) { experiment { primaryMetric { name } } } }`,
			`mutation { updateExperiment(input: {id: $own.Experiment, secondaryMetrics: [$Goal]}) { experiment { secondaryMetrics { name } } } }`,
			`mutation { updateExperiment(input: {id: $Experiment, name: "mine"}) { experiment { name } } }`, `mutation { startExperiment(id: $Experiment) { experiment { name } } }`,
			`mutation { stopExperiment(id: $Experiment) { experiment { name } } }`, `mutation { archiveExperiment(id: $Experiment) { experiment { name } } }`, `mutation { deleteExperiment(id: $Experiment) { deletedId } }`,
			`mutation { createApiKey(input: {name: "x", scope: READ, sites: [$own.Site, $Site]}) { secret } }`,
			`mutation { createApiKey(input: {name: "", scope: READ, sites: [$Site]}) { secret } }`, `mutation { createApiKey(input: {name: "x", scope: READ}) { secret } }`,
			`mutation { rotateApiKey(id: $ApiKey) { secret } }`, `mutation { revokeApiKey(id: $ApiKey) { apiKey { name } } }`,
			`mutation { updateUserRoles(input: {id: $User, roles: [{role: ADMIN}]}) { user { name } } }`, `mutation { resetUser(id: $User) { link } }`,
			`{ users { name } }`, `{ sites { name } }`, `{ plugins { name } }`, `{ apiKeys { id name sites { name } } }`,
		}
		written := func(operation string, t *target) string {
			for noun, id := range own.ids {
				operation = strings.ReplaceAll(operation, "$own."+noun, fmt.Sprintf("%q", id))
			}
			for noun, id := range t.ids {
				operation = strings.ReplaceAll(operation, "$"+noun, fmt.Sprintf("%q", id))
			}
			return operation
		}
		state, err := g.store.State(t.Context(), other.site)
		if err != nil {
			t.Fatal(err)
		}
		before := m.changes()
		for _, scope := range model.Scopes {
			p := keyOf(9, scope, own.site)
			for _, operation := range operations {
				theirs, nothing := g.as(p).ask(written(operation, other), nil), g.as(p).ask(written(operation, none), nil)
				if !sameAnswer(theirs, nothing) {
					t.Errorf("%s, %s:\n got %s %v\nwant %s %v", scope, operation, theirs.Data, theirs.Errors, nothing.Data, nothing.Errors)
				}
				if text := string(theirs.Data) + mustJSON(theirs.Errors); strings.Contains(text, "hidden") {
					t.Errorf("%s, %s: tells %s", scope, operation, text)
				}
			}
			for _, subscription := range []string{
				`subscription { goalCards(siteId: $Site, range: {from: "2026-01-01T00:00:00Z"}) { goal { name } } }`,
				`subscription { goalCards(siteId: $own.Site, goals: [$Goal], range: {from: "2026-01-01T00:00:00Z"}) { goal { name } } }`,
				`subscription { experimentResults(experimentId: $Experiment) { visitors } }`,
			} {
				theirs, nothing := g.as(p).firstEvent(written(subscription, other)), g.as(p).firstEvent(written(subscription, none))
				if !sameAnswer(theirs, nothing) || len(theirs.Errors) == 0 {
					t.Errorf("%s, %s:\n got %s %v\nwant %s %v", scope, subscription, theirs.Data, theirs.Errors, nothing.Data, nothing.Errors)
				}
			}
		}
		after, err := g.store.State(t.Context(), other.site)
		if err != nil || after != state || m.changes() != before {
			t.Errorf("something has changed: %v %v %v, %d changes", state, after, err, m.changes()-before)
		}
	})
}

// What one may not do on a site that one reads is FORBIDDEN, and says why.
func TestForbidden(t *testing.T) {
	t.Parallel()
	g := newGraph(t, storetest.SQLite(t))
	site := g.site("shop.example", "UTC")
	reader := g.as(keyOf(1, model.ReadScope, 1))
	e := reader.refused(`mutation($s: ID!) { createSegment(input: {siteId: $s, name: "x", filters: []}) { segment { id } } }`, vars{"s": site}, model.Forbidden, "")
	if !strings.Contains(e.Message, "EDIT") || !strings.Contains(e.Message, "READ") || !strings.Contains(e.Message, "key 1") {
		t.Errorf("%s", e)
	}
	both := keyOf(2, model.AdminScope, 7)
	both.Grants = append(both.Grants, model.Grant{Site: 1, Scope: model.ReadScope})
	e = g.as(both).refused(`mutation($s: ID!) { updateSite(input: {id: $s, name: "x"}) { site { id } } }`, vars{"s": site}, model.Forbidden, "")
	if !strings.Contains(e.Message, "ADMIN") || !strings.Contains(e.Message, "READ") {
		t.Errorf("%s", e)
	}
	g.as(both).refused(`query($s: ID!) { site(id: $s) { auditLog { totalCount } } }`, vars{"s": site}, model.Forbidden, "")
	g.as(both).refused(`mutation { createSite(input: {name: "x"}) { site { id } } }`, nil, model.Forbidden, "")
	g.as(&model.Principal{Kind: model.AnonymousPrincipal}).refused(`{ sites { id } }`, nil, model.Unauthenticated, "")
	expired := keyOf(3, model.AdminScope, model.AllSites)
	expired.Expires = 1
	g.as(expired).refused(`{ sites { id } }`, nil, model.Unauthenticated, "")
	g.as(&model.Principal{Kind: model.AnonymousPrincipal}).want(`{ viewer { name } }`, nil, `{"viewer":null}`)
	g.as(keyOf(4, model.WriteScope, 1)).want(`{ viewer { name kind grants { siteId site { name } scope } expiresAt } }`, nil,
		fmt.Sprintf(`{"viewer":{"name":"key 4","kind":"KEY","grants":[{"siteId":%q,"site":null,"scope":"WRITE"}],"expiresAt":null}}`, site))
	reader.want(`{ viewer { grants { site { name } scope } } }`, nil, `{"viewer":{"grants":[{"site":{"name":"shop.example"},"scope":"READ"}]}}`)
	reader.want(`{ sites { name } }`, nil, `{"sites":[{"name":"shop.example"}]}`)
}

// Keys are made, rotated and revoked by administrators of their sites.
func TestAPIKeys(t *testing.T) {
	t.Parallel()
	graphs(t, func(t *testing.T, g *testGraph) {
		a, b := g.site("a.example", "UTC"), g.site("b.example", "UTC")
		numbers := map[string]int64{}
		for _, site := range []string{"a.example", "b.example"} {
			s, err := g.store.SiteByDomain(t.Context(), site)
			if err != nil {
				t.Fatal(err)
			}
			numbers[site] = s.ID
		}
		admin := g.as(keyOf(1, model.AdminScope, numbers["a.example"]))
		type payload struct {
			APIKey struct{ ID, Prefix string }
			Secret string
		}
		var data struct{ CreateAPIKey, RotateAPIKey payload }
		admin.into(&data, `mutation($s: [ID!]) { createApiKey(input: {name: "web", scope: WRITE, sites: $s, origins: ["https://shop.example/"]}) { apiKey { id prefix } secret } }`, vars{"s": []string{a}})
		key, secret := data.CreateAPIKey.APIKey, data.CreateAPIKey.Secret
		if !model.IsSecret(secret) || !strings.HasPrefix(secret, key.Prefix) || !strings.HasPrefix(secret, "gg_w_") {
			t.Errorf("%+v", data)
		}
		admin.want(`{ apiKeys { name scope sites { name } origins createdBy expiresAt revokedAt lastUsedAt } }`, nil,
			`{"apiKeys":[{"name":"web","scope":"WRITE","sites":[{"name":"a.example"}],"origins":["https://shop.example"],"createdBy":"key 1","expiresAt":null,"revokedAt":null,"lastUsedAt":null}]}`)
		g.must(`mutation($s: [ID!]) { createApiKey(input: {name: "both", scope: READ, sites: $s}) { secret } }`, vars{"s": []string{a, b}})
		g.must(`mutation { createApiKey(input: {name: "all", scope: READ}) { secret } }`, nil)
		admin.want(`{ apiKeys { name } }`, nil, `{"apiKeys":[{"name":"web"}]}`)
		g.want(`{ apiKeys { name sites { name } } }`, nil,
			`{"apiKeys":[{"name":"web","sites":[{"name":"a.example"}]},{"name":"both","sites":[{"name":"a.example"},{"name":"b.example"}]},{"name":"all","sites":null}]}`)

		admin.into(&data, `mutation($k: ID!) { rotateApiKey(id: $k, overlap: "PT1H") { apiKey { id } secret } }`, vars{"k": key.ID})
		if data.RotateAPIKey.Secret == secret || data.RotateAPIKey.APIKey.ID == key.ID {
			t.Errorf("%+v", data)
		}
		admin.must(`mutation($k: ID!) { revokeApiKey(id: $k) { apiKey { revokedAt } } }`, vars{"k": key.ID})
		admin.refused(`mutation($k: ID!) { rotateApiKey(id: $k) { secret } }`, vars{"k": key.ID}, model.FailedPrecondition, "")
		admin.refused(`mutation($k: ID!) { rotateApiKey(id: $k, overlap: "P91D") { secret } }`, vars{"k": key.ID}, model.BadInput, "overlap")
		admin.refused(`mutation($k: ID!) { rotateApiKey(id: $k, overlap: "P1M") { secret } }`, vars{"k": key.ID}, model.BadInput, "overlap")
		admin.refused(`mutation { createApiKey(input: {name: "x", scope: READ}) { secret } }`, nil, model.Forbidden, "")
		admin.refused(`mutation($s: [ID!]) { createApiKey(input: {name: "x", scope: READ, sites: $s}) { secret } }`, vars{"s": []string{a, b}}, model.NotFound, "input.sites[1]")
		if log := string(admin.must(`query($s: ID!) { site(id: $s) { auditLog { nodes { action objectKind objectName actorName address after } } } }`, vars{"s": a})); strings.Contains(log, secret) ||
			!strings.Contains(log, `"REVOKED"`) || !strings.Contains(log, "192.0.2.7") || !strings.Contains(log, "key 1") {
			t.Errorf("%s", log)
		}
	})
}

// People are managed by administrators of all sites, and not by themselves.
func TestUsers(t *testing.T) {
	t.Parallel()
	var refusal error
	g := newGraph(t, storetest.SQLite(t), func(o *testOptions) {
		o.NewLink = func(_ context.Context, user int64) (string, error) {
			return fmt.Sprint("https://x.example/", user), refusal
		}
	})
	site := g.site("a.example", "UTC")
	var data struct {
		CreateUser struct {
			User struct{ ID string }
			Link string
		}
	}
	g.into(&data, `mutation($s: ID!) { createUser(input: {name: "Ann", roles: [{site: $s, role: EDITOR}]}) { user { id } link } }`, vars{"s": site})
	ann := data.CreateUser.User.ID
	if data.CreateUser.Link != "https://x.example/1" {
		t.Errorf("%+v", data)
	}
	g.want(`{ users { name roles { site { name } role } createdBy disabledAt } }`, nil,
		`{"users":[{"name":"Ann","roles":[{"site":{"name":"a.example"},"role":"EDITOR"}],"createdBy":"everyone","disabledAt":null}]}`)
	g.refused(`mutation { createUser(input: {name: " ann", roles: []}) { user { id } } }`, nil, model.Conflict, "input.name")
	g.refused(`mutation { createUser(input: {name: "Bob", roles: [{role: ADMIN}, {role: VIEWER}]}) { user { id } } }`, nil, model.BadInput, "input.roles")
	g.want(`mutation($u: ID!) { updateUserRoles(input: {id: $u, roles: [{role: ADMIN}]}) { user { roles { site { name } role } } } }`, vars{"u": ann},
		`{"updateUserRoles":{"user":{"roles":[{"site":null,"role":"ADMIN"}]}}}`)
	// Who has seen what is no longer so is refused, and changes nothing.
	var seen struct {
		Users []struct{ UpdatedAt string }
	}
	g.into(&seen, `{ users { updatedAt } }`, nil)
	update := `mutation($u: ID!, $at: Time) { updateUserRoles(input: {id: $u, roles: [{role: EDITOR}], expectedUpdatedAt: $at}) { user { roles { role } } } }`
	g.want(update, vars{"u": ann, "at": seen.Users[0].UpdatedAt}, `{"updateUserRoles":{"user":{"roles":[{"role":"EDITOR"}]}}}`)
	g.refused(update, vars{"u": ann, "at": seen.Users[0].UpdatedAt}, model.Conflict, "input.expectedUpdatedAt")
	g.want(`mutation($u: ID!) { updateUserRoles(input: {id: $u, roles: [{role: ADMIN}]}) { user { disabledAt } } }`, vars{"u": ann}, `{"updateUserRoles":{"user":{"disabledAt":null}}}`)

	user := &model.Principal{Kind: model.UserPrincipal, ID: 1, Name: "Ann", Login: "h1", Grants: []model.Grant{{Site: model.AllSites, Scope: model.AdminScope}}}
	self := g.as(user)
	self.refused(`mutation($u: ID!) { updateUserRoles(input: {id: $u, roles: []}) { user { name } } }`, vars{"u": ann}, model.FailedPrecondition, "")
	self.refused(`mutation($u: ID!) { disableUser(id: $u) { user { name } } }`, vars{"u": ann}, model.FailedPrecondition, "")
	for _, hash := range []string{"h1", "h2"} {
		if err := g.store.CreateLogin(t.Context(), &store.Login{Hash: hash, UserID: 1, Data: []byte("x"), Address: "192.0.2.9", UserAgent: "Firefox", ExpiresAt: 9e12}, ""); err != nil {
			t.Fatal(err)
		}
	}
	var logins struct {
		Logins []struct {
			ID, Address string
			Current     bool
		}
	}
	self.into(&logins, `{ logins { id current address userAgent } }`, nil)
	if len(logins.Logins) != 2 || logins.Logins[0].Current == logins.Logins[1].Current {
		t.Fatalf("%+v", logins)
	}
	g.want(`{ logins { id } }`, nil, `{"logins":[]}`)
	g.refused(`mutation($l: ID!) { endLogin(id: $l) { endedId } }`, vars{"l": logins.Logins[0].ID}, model.NotFound, "id")
	for _, login := range logins.Logins {
		if !login.Current {
			self.must(`mutation($l: ID!) { endLogin(id: $l) { endedId } }`, vars{"l": login.ID})
		}
	}
	if left, err := g.store.Logins(t.Context(), 1); err != nil || len(left) != 1 || left[0].Hash != "h1" {
		t.Errorf("%v %v", left, err)
	}
	g.must(`mutation($u: ID!) { resetUser(id: $u) { link user { name } } }`, vars{"u": ann})

	// A user who can have no link keeps the password, and nobody is created without one.
	if _, err := g.store.UpdateUser(t.Context(), 1, func(u *model.User) error { u.Password = "hash"; return nil }); err != nil {
		t.Fatal(err)
	}
	refusal = model.Errorf(model.FailedPrecondition, "no")
	g.refused(`mutation($u: ID!) { resetUser(id: $u) { link } }`, vars{"u": ann}, model.FailedPrecondition, "")
	if kept, err := g.store.User(t.Context(), 1); err != nil || kept.Password != "hash" {
		t.Errorf("%+v, %v", kept, err)
	}
	provided := newGraphOver(t, g.store, g.host, func(o *testOptions) { o.NoLinks = refusal })
	provided.refused(`mutation { createUser(input: {name: "Cid", roles: []}) { user { id } } }`, nil, model.FailedPrecondition, "")
	g.want(`{ users { name } }`, nil, `{"users":[{"name":"Ann"}]}`)
	g.must(`mutation($u: ID!) { disableUser(id: $u) { user { disabledAt } } }`, vars{"u": ann})
	g.want(`mutation($u: ID!) { enableUser(id: $u) { user { disabledAt } } }`, vars{"u": ann}, `{"enableUser":{"user":{"disabledAt":null}}}`)
}

// An experiment's history is its part of the audit log. Addresses in it are for administrators.
func TestHistory(t *testing.T) {
	t.Parallel()
	g := newGraph(t, storetest.SQLite(t))
	site := g.site("a.example", "UTC")
	buy := g.goal(site, "buy")
	e := g.experiment(site, "headline", buy)
	before := func(action string) string {
		return strings.Replace(g.documentOf(action, e), `"primaryMetric":1`, fmt.Sprintf(`"primaryMetric":%q`, buy), 1)
	}
	g.must(`mutation($e: ID!) { updateExperiment(input: {id: $e, name: "Headline"}) { experiment { id } } }`, vars{"e": e})
	g.start(e, "2026-05-01T00:00:00Z")
	g.as(keyOf(1, model.ReadScope, 1)).want(`query($e: ID!) { node(id: $e) { ... on Experiment { history(first: 2) { totalCount pageInfo { hasNextPage } nodes { action actorName actorKind objectId before } } } } }`, vars{"e": e},
		fmt.Sprintf(`{"node":{"history":{"totalCount":3,"pageInfo":{"hasNextPage":true},"nodes":[
			{"action":"STARTED","actorName":"everyone","actorKind":"ANONYMOUS","objectId":%q,"before":%s},
			{"action":"UPDATED","actorName":"everyone","actorKind":"ANONYMOUS","objectId":%q,"before":%s}]}}}`, e, before("STARTED"), e, before("UPDATED")))
	const addresses = `query($e: ID!) { node(id: $e) { ... on Experiment { history(first: 1) { nodes { address } } } } }`
	g.as(keyOf(1, model.ReadScope, 1)).refused(addresses, vars{"e": e}, model.Forbidden, "")
	g.as(keyOf(1, model.AdminScope, 1)).want(addresses, vars{"e": e}, `{"node":{"history":{"nodes":[{"address":"192.0.2.7"}]}}}`)
	both := keyOf(2, model.AdminScope, 7)
	both.Grants = append(both.Grants, model.Grant{Site: 1, Scope: model.ReadScope})
	g.as(both).refused(addresses, vars{"e": e}, model.Forbidden, "")
}

// documentOf returns what an object was before an action.
func (g *testGraph) documentOf(action, experiment string) string {
	g.Helper()
	changes, err := g.store.Changes(g.Context(), allChanges, store.Page{Limit: 100})
	if err != nil {
		g.Fatal(err)
	}
	for _, change := range changes {
		if change.Kind == model.ExperimentObject && string(change.Action) == action && json.Valid([]byte(change.Before)) {
			return change.Before
		}
	}
	g.Fatalf("nothing was %s", action)
	return ""
}
