package graph

import (
	"context"
	"encoding/json"
	"strings"

	"github.com/goalgraph/goalgraph/graph/view"
	"github.com/goalgraph/goalgraph/model"
	"github.com/goalgraph/goalgraph/model/store"
)

func (r *siteResolver) AuditLog(ctx context.Context, site *model.Site, orderBy view.Order, first *int, after *string, last *int, before *string) (*view.AuditConnection, error) {
	return r.changes(ctx, store.AuditQuery{Site: &site.ID}, orderBy, window{first, last, after, before})
}

func (r *experimentResolver) History(ctx context.Context, e *model.Experiment, orderBy view.Order, first *int, after *string, last *int, before *string) (*view.AuditConnection, error) {
	return r.changes(ctx, store.AuditQuery{Site: &e.SiteID, Kind: model.ExperimentObject, Object: e.ID}, orderBy, window{first, last, after, before})
}

// changes returns a page of changes.
func (r *Resolver) changes(ctx context.Context, query store.AuditQuery, order view.Order, w window) (*view.AuditConnection, error) {
	read := func(ctx context.Context, query store.AuditQuery, page store.Page) ([]view.AuditEntry, error) {
		bytesOf := func(c *model.Change) int { return len(c.Before) + len(c.After) }
		changes, err := readWithin(ctx, bytesOf, func() ([]model.Change, error) { return r.store.Changes(ctx, query, page) })
		entries := make([]view.AuditEntry, len(changes))
		for i := range changes {
			entries[i] = viewOfChange(&changes[i])
		}
		return entries, err
	}
	place := func(entry *view.AuditEntry) store.Place { return store.Place{ID: entry.Number} }
	c, err := connectStored[view.AuditEntry, view.AuditEdge](ctx, query, order, w, place, read, r.store.CountChanges)
	return (*view.AuditConnection)(c), err
}

// nounOf is the noun of what a change is about.
var nounOf = map[model.ObjectKind]noun{
	model.SiteObject: siteNoun, model.SegmentObject: segmentNoun, model.GoalObject: goalNoun, model.ExperimentObject: experimentNoun,
	model.KeyObject: keyNoun, model.UserObject: userNoun,
}

func viewOfChange(c *model.Change) view.AuditEntry {
	return view.AuditEntry{
		Number: c.ID, ID: encodeID(auditNoun, c.ID), Site: c.Site, At: c.At.Time(), ActorKind: c.ActorKind, ActorName: c.ActorName, Address: c.Address,
		Action: c.Action, ObjectKind: c.Kind, ObjectID: encodeID(nounOf[c.Kind], c.Object), ObjectName: c.Name, Before: jsonOf(c.Before), After: jsonOf(c.After),
	}
}

// jsonOf returns the JSON of an object with the graph's ids in place of the store's numbers, nil where there is none.
func jsonOf(text string) json.RawMessage {
	if text == "" {
		return nil
	}
	decoder := json.NewDecoder(strings.NewReader(text))
	decoder.UseNumber()
	var object any
	if err := decoder.Decode(&object); err != nil {
		return json.RawMessage(text)
	}
	shown, err := json.Marshal(withIDs(object))
	if err != nil {
		return json.RawMessage(text)
	}
	return shown
}

// numbered are the fields of objects in the audit log that hold numbers of other objects, and the nouns of those.
var numbered = map[string]noun{
	"primaryMetric": goalNoun, "secondaryMetrics": goalNoun, "sites": siteNoun, "site": siteNoun, "segmentId": segmentNoun,
	"goal": goalNoun, // of a guardrail
}

// withIDs puts ids in place of numbers, in values that it was given.
func withIDs(value any) any {
	switch value := value.(type) {
	case []any:
		for i := range value {
			value[i] = withIDs(value[i])
		}
	case map[string]any:
		for name, field := range value {
			if noun, found := numbered[name]; found {
				value[name] = numberIDs(noun, field)
			} else if name != "args" { // a filter type's own
				value[name] = withIDs(field)
			}
		}
	}
	return value
}

// numberIDs returns the id of a number, or the ids of a list of them; 0 is none.
func numberIDs(noun noun, value any) any {
	switch value := value.(type) {
	case json.Number:
		if n, err := value.Int64(); err == nil && n != 0 {
			return encodeID(noun, n)
		}
		return nil
	case []any:
		for i := range value {
			value[i] = numberIDs(noun, value[i])
		}
	}
	return value
}

type auditEntryResolver struct{ *Resolver }

func (r *auditEntryResolver) Address(ctx context.Context, entry *view.AuditEntry) (*string, error) {
	if _, err := changeable(ctx, model.AdminScope, entry.Site); err != nil {
		return nil, err
	}
	return optional(entry.Address), nil
}
