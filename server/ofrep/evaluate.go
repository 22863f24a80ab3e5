package ofrep

import (
	"context"
	"encoding/json"
	"slices"

	"github.com/goalgraph/goalgraph/model"
	"github.com/goalgraph/goalgraph/model/allocation"
	"github.com/goalgraph/goalgraph/model/filter"
	"github.com/goalgraph/goalgraph/model/store"
	"github.com/goalgraph/goalgraph/server/ingest"
)

// Reasons of OpenFeature.
const (
	// static is a rollout: everyone has the value.
	static = "STATIC"
	// targetingMatch is a forced variant.
	targetingMatch = "TARGETING_MATCH"
	// split is the hash, whether it gives a variant or none.
	split = "SPLIT"
	// disabled is an experiment that does not run.
	disabled = "DISABLED"
	// unknown is a visitor outside of the audience.
	unknown = "UNKNOWN"
)

// evaluation is what a flag is for a visitor, in the form of the protocol.
type evaluation struct {
	Key string `json:"key"`
	// Value is nil where the code's default stands.
	Value    json.RawMessage `json:"value,omitempty"`
	Reason   string          `json:"reason,omitempty"`
	Variant  string          `json:"variant,omitempty"`
	Metadata *metadata       `json:"metadata,omitempty"`
	// ErrorCode and ErrorDetails stand alone, with the key.
	ErrorCode    string `json:"errorCode,omitempty"`
	ErrorDetails string `json:"errorDetails,omitempty"`
}

// metadata says more of an evaluation.
type metadata struct {
	// ExcludedBy says why the visitor does not take part.
	ExcludedBy allocation.Exclusion `json:"excludedBy,omitempty"`
	// Forced tells of a forced variant.
	Forced bool `json:"forced,omitempty"`
	// ExposureID is the messageId by which an Experiment Viewed is to be sent when the visitor first sees the variant.
	ExposureID string `json:"exposureId,omitempty"`
}

func (e *evaluation) give(v *model.Variant, reason string) {
	e.Value, e.Variant, e.Reason = v.JSON(), v.Key, reason
}

// asking is who asks for variants.
type asking struct {
	flags   *flags
	told    *ingest.Evaluation
	now     model.Millis
	visitor *visitor
	session *model.Session
	// given is what the visitor is given for the first time.
	given map[run]string
}

// ask finds who asks for some flags.
func (h *Handler) ask(ctx context.Context, f *flags, told *ingest.Evaluation, some []flag) (*asking, error) {
	a := &asking{flags: f, told: told, now: model.MillisOf(h.now()), given: map[run]string{}}
	running, choosy := false, false
	for i := range some {
		running = running || some[i].Status == model.Running
		choosy = choosy || some[i].audience != nil && some[i].audience != filter.Expr(filter.Bool(true))
	}
	if !running {
		return a, nil
	}
	var err error
	if a.visitor, err = h.visitors.find(ctx, a.name(), a.now, choosy); err != nil {
		return nil, err
	}
	if choosy {
		hit := told.Hit
		// The audience sees what results will: of an address, what the site keeps.
		hit.Origin.IP = f.site.Addresses.Keep(hit.Origin.IP)
		if f.site.IsOwnHost(hit.Origin.Referrer) {
			hit.Origin.Referrer = ""
		}
		a.session = a.visitor.sessionWith(hit, a.now)
	}
	return a, nil
}

func (a *asking) name() visitorName { return visitorName{a.flags.site.ID, a.told.Key} }

// evaluate returns what a flag is for who asks. exposure is the id of the message that tells of it; zero where none is to.
func (a *asking) evaluate(f *flag) (e evaluation, exposure model.MessageID) {
	e = evaluation{Key: f.Key, Reason: disabled}
	if isRolledOut(&f.Experiment) {
		e.give(f.variant(f.Winner), static)
	}
	if f.Status != model.Running {
		return e, exposure
	}
	if forced := f.forcedOf(a); forced != nil {
		e.give(forced, targetingMatch)
		e.Metadata = &metadata{Forced: true}
		return e, exposure
	}
	if f.isUnknown() {
		return evaluation{Key: f.Key, ErrorCode: general, ErrorDetails: "it cannot be told whether the visitor is in the audience; the server's log says why"}, exposure
	}
	of := run{f.ID, f.StartedAt}
	kept := f.indexOf(a.visitor.given[of])
	isNew := kept == allocation.None
	if isNew {
		kept = f.indexOf(a.visitor.inherited[of])
	}
	chosen, excluded := f.plan.Allocate(a.visitor.id, kept, a.session == nil || f.audience.Match(a.session))
	if chosen == allocation.None {
		if e.Reason = split; excluded == allocation.ByAudience {
			e.Reason = unknown
		}
		e.Metadata = &metadata{ExcludedBy: excluded}
		return e, exposure
	}
	e.give(&f.Variants[chosen], split)
	if a.isBot() {
		return e, exposure // who is not counted is not kept either
	}
	exposure = model.ExposureID(f.SiteID, f.ID, f.StartedAt, a.visitor.id)
	e.Metadata = &metadata{ExposureID: exposure.UUID()}
	if isNew {
		a.given[of] = e.Variant
	}
	return e, exposure
}

// isBot tells whether who asks is a bot that the site does not count.
func (a *asking) isBot() bool { return a.told.IsBot && a.flags.site.Bots == model.ExcludeBots }

// keep has what the visitor is given for the first time kept.
func (h *Handler) keep(a *asking) {
	if len(a.given) == 0 {
		return
	}
	h.visitors.give(a.name(), a.visitor, a.given)
	list := make([]store.KeptAssignment, 0, len(a.given))
	for of, variant := range a.given {
		list = append(list, store.KeptAssignment{Visitor: a.visitor.id, Experiment: of.experiment, Run: of.start, Variant: variant})
	}
	h.keeper.put(a.flags.site.ID, list)
}

// forcedOf returns the variant that who asks is forced to, or nil.
func (f *flag) forcedOf(a *asking) *model.Variant {
	if len(f.Forced) == 0 {
		return nil
	}
	key := f.ForcedOf(a.told.Key)
	if key == "" {
		key = f.ForcedOf(a.visitor.id)
	}
	return f.variant(key)
}

// variant returns the variant with a key, or nil.
func (f *flag) variant(key string) *model.Variant {
	if i := f.indexOf(key); i != allocation.None {
		return &f.Variants[i]
	}
	return nil
}

func (f *flag) indexOf(key string) int {
	return slices.IndexFunc(f.Variants, func(v model.Variant) bool { return v.Key == key })
}
