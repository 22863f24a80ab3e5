package ofrep

import (
	"context"
	"fmt"
	"maps"
	"time"

	"github.com/maypok86/otter/v2"
	"golang.org/x/sync/singleflight"

	"github.com/goalgraph/goalgraph/model"
	"github.com/goalgraph/goalgraph/model/store"
)

const (
	// visitorBytes bounds what is known of visitors.
	visitorBytes = 32 << 20
	// visitorKept is how long what is known of a visitor holds: a login, a session's first hits and what other servers gave
	// are seen as much later.
	visitorKept = 2 * time.Second
)

// run is a run of an experiment.
type run struct {
	experiment int64
	start      model.Millis
}

// visitor is what is known of a visitor. It never changes.
type visitor struct {
	// id is the visitor's key.
	id string
	// given are the keys of the variants that the visitor has been given, inherited those of the user before he had a device.
	given, inherited map[run]string
	// session is the visitor's session, as far as audiences look at it. hasSession is false where none is open, and isKnown where
	// nobody has looked yet.
	session             model.Session
	isKnown, hasSession bool
	// isReturning tells that the next session is not the visitor's first.
	isReturning bool
}

// visitors know who is given variants.
type visitors struct {
	store *store.Store
	known *otter.Cache[visitorName, *visitor]
	// finding has each visitor looked up once at a time.
	finding singleflight.Group
}

type visitorName struct {
	site int64
	name string
}

func newVisitors(st *store.Store) (*visitors, error) {
	known, err := otter.New(&otter.Options[visitorName, *visitor]{
		MaximumWeight: visitorBytes,
		Weigher: func(name visitorName, v *visitor) uint32 {
			const fixed, entry = 1500, 100
			bytes := fixed + len(name.name) + len(v.id) + entry*(len(v.given)+len(v.inherited))
			for key, value := range v.session.Properties {
				bytes += entry + len(key) + len(value)
			}
			return uint32(bytes)
		},
		ExpiryCalculator: otter.ExpiryWriting[visitorName, *visitor](visitorKept),
	})
	return &visitors{store: st, known: known}, err
}

// find returns who a targetingKey is; with the session where that is asked for.
func (v *visitors) find(ctx context.Context, name visitorName, now model.Millis, withSession bool) (*visitor, error) {
	if found, ok := v.known.GetIfPresent(name); ok && (found.isKnown || !withSession) {
		return found, nil
	}
	found, err, _ := v.finding.Do(fmt.Sprint(name.site, withSession, name.name), func() (any, error) {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), patience) // others wait for it too
		defer cancel()
		return v.look(ctx, name, now, withSession)
	})
	if err != nil {
		return nil, err
	}
	return found.(*visitor), nil
}

func (v *visitors) look(ctx context.Context, name visitorName, now model.Millis, withSession bool) (*visitor, error) {
	assignee, err := v.store.Assignee(ctx, name.site, name.name, now)
	if err != nil {
		return nil, err
	}
	found := &visitor{id: assignee.Visitor, given: map[run]string{}, inherited: map[run]string{}, isKnown: withSession}
	for _, kept := range assignee.Kept {
		to := found.given
		if kept.Visitor != found.id {
			to = found.inherited
		}
		to[run{kept.Experiment, kept.Run}] = kept.Variant
	}
	if withSession {
		last, err := v.store.LastSession(ctx, name.site, found.id)
		if err != nil {
			return nil, err
		}
		if found.isReturning = last != nil; last != nil && last.End >= now-model.SessionGap && !last.IsTruncated() {
			found.hasSession = true
			found.session = model.Session{First: last.First, Origin: last.Origin, Knows: last.Knows, Properties: last.Properties}
		}
	}
	v.known.Set(name, found)
	return found, nil
}

// give notes what a visitor was given, for evaluations that come before it is read again.
func (v *visitors) give(name visitorName, known *visitor, given map[run]string) {
	with := *known
	with.given = maps.Clone(known.given)
	maps.Copy(with.given, given)
	v.known.Set(name, &with)
}

// sessionWith returns the session that an evaluation is made in, as audiences see it: what the hit knows, and the visitor's
// session where one is open. That alone tells how it began.
func (v *visitor) sessionWith(hit model.Hit, now model.Millis) *model.Session {
	hit.At = now
	s := model.SessionOf([]model.Hit{hit})
	s.VisitorKey, s.First = v.id, !v.isReturning
	if v.hasSession {
		s.First = v.session.First
		const beginning = model.KnowsAcquisition | model.KnowsPage
		s.Origin = s.Origin.With(v.session.Origin, v.session.Knows&(beginning|^hit.Knows))
		if len(v.session.Properties) > 0 {
			properties := maps.Clone(v.session.Properties)
			maps.Copy(properties, s.Properties)
			s.Properties = properties
		}
	}
	return &s
}
