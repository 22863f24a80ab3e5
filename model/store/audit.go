package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/uptrace/bun"

	"github.com/goalgraph/goalgraph/model"
)

// change is what a transaction does to an object, for the audit log. before and after are JSON; empty where there was, or is,
// no object.
type change struct {
	action        model.Action
	kind          model.ObjectKind
	site, object  int64
	name          string
	before, after string
}

func ofSite(action model.Action, s *model.Site, before, after string) change {
	return change{action, model.SiteObject, s.ID, s.ID, s.Name, before, after}
}

func ofSegment(action model.Action, s *model.Segment, before, after string) change {
	return change{action, model.SegmentObject, s.SiteID, s.ID, s.Name, before, after}
}

func ofGoal(action model.Action, g *model.Goal, before, after string) change {
	return change{action, model.GoalObject, g.SiteID, g.ID, g.Name, before, after}
}

func ofExperiment(action model.Action, e *model.Experiment, before, after string) change {
	return change{action, model.ExperimentObject, e.SiteID, e.ID, e.Name, before, after}
}

// stepOf is what takes an experiment from one status to the next.
func stepOf(from, to model.ExperimentStatus) model.Action {
	switch {
	case from == to:
		return model.Updated
	case to == model.Running:
		return model.Started
	case to == model.Stopped:
		return model.Ended
	}
	return model.Shelved
}

// fields are an object as the audit log shows it, by the names that the graph has for its fields.
type fields map[string]any

func (f fields) document() string {
	text, err := json.Marshal(f)
	if err != nil { // a number that JSON has no form for, which no valid object has
		text, _ = json.Marshal(fields{"error": err.Error()})
	}
	return string(text)
}

func documentOfSite(s *model.Site) string {
	return fields{
		"name": s.Name, "domains": s.Domains, "timezone": s.Timezone, "addresses": s.Addresses, "ignoredReferrers": s.IgnoredReferrers, "bots": s.Bots,
		"holdout": holdoutOrNil(s.Holdout), "retentionDays": s.RetentionDays,
	}.document()
}

func documentOfSegment(s *model.Segment) string {
	return fields{"name": s.Name, "filters": s.Filters, "active": s.Active}.document()
}

func documentOfGoal(g *model.Goal) string {
	return fields{
		"key": g.Key, "name": g.Name, "description": g.Description, "filters": g.Filters, "valueEvent": g.ValueEvent, "direction": g.Direction,
		"archived": g.Archived,
	}.document()
}

func documentOfExperiment(e *model.Experiment) string {
	guardrails := make([]fields, len(e.Guardrails))
	for i, guardrail := range e.Guardrails {
		guardrails[i] = fields{"goal": guardrail.Goal, "margin": guardrail.Margin}
	}
	directions := make([]fields, len(e.Directions))
	for i, given := range e.Directions {
		directions[i] = fields{"goal": given.Goal, "direction": given.Direction}
	}
	phases := make([]fields, len(e.Phases))
	for i, phase := range e.Phases {
		phases[i] = fields{"from": phase.From.Time(), "weights": phase.Weights}
	}
	return fields{
		"key": e.Key, "name": e.Name, "description": e.Description, "status": e.Status, "variants": e.Variants, "audience": e.Audience,
		"attribution": e.Attribution, "unit": e.Unit, "window": durationOrNil(e.Window), "multipleExposures": e.MultipleExposures, "priorLift": e.PriorLift, "winner": e.Winner, "primaryMetric": e.Primary, "secondaryMetrics": e.Secondary,
		"guardrails": guardrails, "directions": directions, "notes": e.Notes, "conclusion": e.Conclusion, "decidesBy": e.DecidesBy, "monitoring": e.Monitoring, "decideAt": timeOrNil(e.DecideAt),
		"startedAt": timeOrNil(e.StartedAt), "stoppedAt": timeOrNil(e.StoppedAt), "phases": phases,
		"assignment": e.Assignment, "seed": e.Seed, "trafficShare": e.TrafficShare, "layer": layerOrNil(e.Layer), "forcedVariants": e.Forced,
		"rollout": e.Rollout, "onlyEvaluated": e.OnlyEvaluated,
	}.document()
}

func holdoutOrNil(h *model.Holdout) any {
	if h == nil {
		return nil
	}
	return fields{"share": h.Share, "seed": h.Seed}
}

func layerOrNil(l *model.Layer) any {
	if l == nil {
		return nil
	}
	return fields{"key": l.Key, "from": l.From, "to": l.To}
}

func documentOfKey(k *model.Key) string {
	return fields{
		"name": k.Name, "scope": k.Scope, "allSites": k.AllSites, "sites": k.Sites, "origins": k.Origins, "prefix": k.Prefix,
		"expiresAt": timeOrNil(k.ExpiresAt), "revokedAt": timeOrNil(k.RevokedAt),
	}.document()
}

func documentOfUser(u *model.User) string {
	roles := make([]fields, len(u.Roles))
	for i, role := range u.Roles {
		roles[i] = fields{"site": role.Site, "role": role.Role}
	}
	return fields{"name": u.Name, "roles": roles, "subject": u.Subject, "disabledAt": timeOrNil(u.DisabledAt)}.document()
}

// durationOrNil is in ISO 8601, and nil for 0, which stands for none.
func durationOrNil(d time.Duration) any {
	if d == 0 {
		return nil
	}
	return fmt.Sprintf("PT%dS", d/time.Second)
}

// timeOrNil is nil for 0, which stands for never.
func timeOrNil(at model.Millis) any {
	if at == 0 {
		return nil
	}
	return at.Time()
}

type auditRow struct {
	bun.BaseModel `bun:"table:audit,alias:audit"`

	ID         int64 `bun:",pk,autoincrement"`
	SiteID     int64
	At         model.Millis
	ActorKind  model.PrincipalKind
	ActorID    int64
	ActorName  string
	Address    string
	Action     model.Action
	ObjectKind model.ObjectKind
	ObjectID   int64
	ObjectName string
	Before     string
	After      string
}

func (r *auditRow) change() model.Change {
	return model.Change{
		ID: r.ID, At: r.At, Site: r.SiteID, ActorKind: r.ActorKind, ActorID: r.ActorID, ActorName: r.ActorName, Address: r.Address,
		Action: r.Action, Kind: r.ObjectKind, Object: r.ObjectID, Name: r.ObjectName, Before: r.Before, After: r.After,
	}
}

// isNone tells whether nothing was changed.
func (c *change) isNone() bool { return c.action == model.Updated && c.before == c.after }

// record writes a change into the audit log, in the change's own transaction. An update that changes nothing is none.
func (s *Store) record(ctx context.Context, tx bun.Tx, c change) error {
	if c.isNone() {
		return nil
	}
	actor := model.ActorOf(ctx)
	address := actor.Address
	if c.site != 0 {
		var privacy model.AddressPrivacy
		err := tx.NewSelect().Table("sites").Column("addresses").Where("id = ?", c.site).Scan(ctx, &privacy)
		if err != nil && !errors.Is(err, sql.ErrNoRows) {
			return err
		}
		address = privacy.Keep(address) // nothing of a site that is gone
	}
	_, err := tx.NewInsert().Model(&auditRow{
		SiteID: c.site, At: model.MillisOf(s.now()), ActorKind: actor.Kind, ActorID: actor.ID, ActorName: actor.Name, Address: address,
		Action: c.action, ObjectKind: c.kind, ObjectID: c.object, ObjectName: c.name, Before: c.before, After: c.after,
	}).Exec(ctx)
	return err
}

// AuditQuery asks for changes.
type AuditQuery struct {
	// Site keeps the changes of a site; nil keeps all.
	Site *int64
	// Kind and Object keep the changes of one object, if Object is not 0.
	Kind   model.ObjectKind
	Object int64
	// Since keeps what happened from then on.
	Since model.Millis
}

func (q AuditQuery) apply(query *bun.SelectQuery) *bun.SelectQuery {
	if q.Site != nil {
		query = query.Where("site_id = ?", *q.Site)
	}
	if q.Object != 0 {
		query = query.Where("object_kind = ? AND object_id = ?", q.Kind, q.Object)
	}
	if q.Since != 0 {
		query = query.Where("at >= ?", q.Since)
	}
	return query
}

// Changes returns a page of the audit log, by default the oldest first.
func (s *Store) Changes(ctx context.Context, q AuditQuery, page Page) (changes []model.Change, err error) {
	defer wrap(&err, "audit log")
	var rows []auditRow
	if err := s.apply(page, q.apply(s.db.NewSelect().Model(&rows))).Scan(ctx); err != nil {
		return nil, err
	}
	changes = make([]model.Change, len(rows))
	for i := range rows {
		changes[i] = rows[i].change()
	}
	return changes, nil
}

// CountChanges returns the number of changes of the query.
func (s *Store) CountChanges(ctx context.Context, q AuditQuery) (n int, err error) {
	defer wrap(&err, "count changes")
	count, err := q.apply(s.db.NewSelect().Model((*auditRow)(nil))).Count(ctx)
	return int(count), err
}
