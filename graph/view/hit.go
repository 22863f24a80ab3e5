package view

import (
	"maps"
	"slices"
	"time"

	"github.com/goalgraph/goalgraph/model"
)

// HitKind is what a hit is.
type HitKind string

// The kinds of hits.
const (
	PageViewHit HitKind = "PAGE_VIEW"
	EventHit    HitKind = "EVENT"
	TraitsHit   HitKind = "TRAITS"
)

// hitKinds are those of the model's.
var hitKinds = map[model.HitKind]HitKind{model.PageView: PageViewHit, model.Event: EventHit, model.Traits: TraitsHit}

// Hit is a hit of a session as clients see it.
type Hit struct {
	ID                                                     string
	Kind                                                   HitKind
	At                                                     time.Time
	Name                                                   *string
	Value                                                  *float64
	Tags                                                   []string
	Properties                                             []SessionProperty
	UserID, Experiment, Variant                            *string
	Referrer, Hostname                                     *string
	IP, Country, Region, City                              *string
	Browser, OS, Device, Language                          *string
	UTMSource, UTMMedium, UTMCampaign, UTMTerm, UTMContent *string
}

// HitOf returns a hit as clients see it, under the id that they know it by.
func HitOf(id string, h *model.Hit) Hit {
	o := &h.Origin
	hit := Hit{
		ID: id, Kind: hitKinds[h.Kind], At: h.At.Time(), Name: optional(h.Name), Tags: append([]string{}, h.Tags...), Properties: propertiesOf(h.Properties),
		UserID: optional(h.UserID), Experiment: optional(h.Experiment), Variant: optional(h.Variant), Referrer: optional(o.Referrer), Hostname: optional(o.Hostname),
		IP: optional(o.IP), Country: optional(o.Country), Region: optional(o.Region), City: optional(o.City),
		Browser: optional(o.Browser), OS: optional(o.OS), Device: optional(string(o.Device)), Language: optional(o.Language),
		UTMSource: optional(o.UTM.Source), UTMMedium: optional(o.UTM.Medium), UTMCampaign: optional(o.UTM.Campaign),
		UTMTerm: optional(o.UTM.Term), UTMContent: optional(o.UTM.Content),
	}
	if h.HasValue {
		value := h.Value.Float64()
		hit.Value = &value
	}
	return hit
}

// propertiesOf returns properties in the order of their keys.
func propertiesOf(properties map[string]string) (list []SessionProperty) {
	for _, key := range slices.Sorted(maps.Keys(properties)) {
		list = append(list, SessionProperty{key, properties[key]})
	}
	return list
}
