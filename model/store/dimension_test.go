package store

import (
	"slices"
	"testing"

	"github.com/goalgraph/goalgraph/model"
	"github.com/goalgraph/goalgraph/model/dimension"
)

// Each dimension is read from columns that are stored, and each column but those that
// say which session it is holds a dimension.
func TestSessionColumnsAreTheDimensions(t *testing.T) {
	holds := map[string]bool{"site_id": true, "partition_id": true, "ordinal": true, "revision": true, "write_id": true, "session_key": true, "hits": true, "knows": true}
	for _, d := range dimension.All() {
		for _, column := range d.SQL {
			holds[column] = true
			if !slices.Contains(sessionColumns, column) {
				t.Errorf("%s is read from %s, which is not stored", d.Name, column)
			}
		}
	}
	for _, column := range sessionColumns {
		if !holds[column] {
			t.Errorf("%s is stored, and holds no dimension", column)
		}
	}
}

// Every limit of the list is asked for where a hit has such a value.
func TestEachLimitIsAsked(t *testing.T) {
	var asked []string
	for _, kind := range []model.HitKind{model.PageView, model.Event} {
		hit := model.Hit{Kind: kind, Name: "x", Tags: []string{"x"}, Properties: map[string]string{"key": "x"}}
		for _, d := range dimension.Origins() {
			*d.Origin(&hit.Origin) = d.Name
		}
		eachValue(&hit, func(limit string, value *string) {
			asked = append(asked, limit)
			for _, d := range dimension.Origins() {
				if *value == d.Name && d.Limit != limit {
					t.Errorf("%s is asked under the limit %q, want %q", d.Name, limit, d.Limit)
				}
			}
		})
	}
	for _, d := range dimension.All() {
		if d.Limit != "" && !slices.Contains(asked, d.Limit) {
			t.Errorf("the limit %s of %s is never asked", d.Limit, d.Name)
		}
	}
}
