package experiment

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/goalgraph/goalgraph/model"
	"github.com/goalgraph/goalgraph/model/count"
	"github.com/goalgraph/goalgraph/model/store"
)

// UserNumber is the number of a user among the units of an experiment: below 0, while visitors' are above. It is a hash, so that it
// is the same whatever the order in which messages arrive.
func UserNumber(user string) int64 {
	hash := sha256.Sum256([]byte(user))
	return -1 - int64(binary.BigEndian.Uint64(hash[:8])>>1)
}

// units say which of a site's visitors are one user's. They do not change; newer ones share what is old. nil are those of an experiment
// whose units are the visitors.
type units struct {
	revision store.Revision
	base     *userVisitors
	// log is what has changed since base, in the order in which it did, and newer what it comes to, by visitor.
	log   []unitChange
	newer map[int64]int64
}

// userVisitors are visitors that are some user's, in the order of their numbers, and the users' numbers.
type userVisitors struct{ visitors, users []int64 }

// unitChange says that a visitor is of a unit that was of another one.
type unitChange struct {
	visitor, before, now int64
	// firstAt is when the visitor's first session that counts began.
	firstAt model.Millis
}

// of returns the number of a visitor's unit: that of its user, or else the visitor's own.
func (u *units) of(visitor int64) int64 {
	if u == nil {
		return visitor
	}
	if user, found := u.newer[visitor]; found {
		return user
	}
	if i, found := slices.BinarySearch(u.base.visitors, visitor); found {
		return u.base.users[i]
	}
	return visitor
}

// text tells the units from others of the site.
func (u *units) text() string {
	if u == nil {
		return ""
	}
	return fmt.Sprint(u.revision.Number, u.revision.Write)
}

// since returns what has changed since older units; known is false where that is not known.
func (u *units) since(older *units) (changes []unitChange, known bool) {
	if u == nil || older == nil {
		return nil, u == older
	}
	if u.base != older.base || len(older.log) > len(u.log) {
		return nil, false
	}
	return u.log[len(older.log):], true
}

const (
	unitBytes       = 16 // of a visitor in base
	unitChangeBytes = 80 // of a change, in log and newer
)

func (u *units) bytes() uint64 {
	return uint64(200 + unitBytes*len(u.base.visitors) + unitChangeBytes*len(u.log))
}

// with returns the units after changes.
func (u *units) with(users []store.VisitorUser, revision store.Revision) *units {
	next := &units{revision: revision, base: u.base, log: slices.Clip(u.log), newer: maps.Clone(u.newer)}
	for _, one := range users {
		if before, now := u.of(one.Visitor), UserNumber(one.User); now != before {
			next.log = append(next.log, unitChange{one.Visitor, before, now, one.FirstAt})
			next.newer[one.Visitor] = now
		}
	}
	if len(next.log) <= 1000+len(next.base.visitors)/16 {
		return next
	}
	return &units{revision: revision, base: next.merged(), newer: map[int64]int64{}}
}

// merged returns all as a base.
func (u *units) merged() *userVisitors {
	type pair struct{ visitor, user int64 }
	pairs := make([]pair, 0, len(u.base.visitors)+len(u.newer))
	for i, visitor := range u.base.visitors {
		if _, found := u.newer[visitor]; !found {
			pairs = append(pairs, pair{visitor, u.base.users[i]})
		}
	}
	for visitor, user := range u.newer {
		pairs = append(pairs, pair{visitor, user})
	}
	slices.SortFunc(pairs, func(a, b pair) int { return cmp.Compare(a.visitor, b.visitor) })
	base := &userVisitors{make([]int64, len(pairs)), make([]int64, len(pairs))}
	for i, p := range pairs {
		base.visitors[i], base.users[i] = p.visitor, p.user
	}
	return base
}

// unitsOf returns the units of an experiment as they are now.
func (a *Assignments) unitsOf(ctx context.Context, d *Definition) (*units, error) {
	if !d.ByUser {
		return nil, nil
	}
	revision, err := a.store.VisitorUsersRevision(ctx, d.Site)
	if err != nil {
		return nil, err
	}
	known, found := a.units.GetIfPresent(d.Site)
	if found && known.revision == revision {
		return known, nil
	}
	return count.Once(ctx, &a.flights, fmt.Sprint("units ", d.Site, revision), func() (*units, error) {
		if !found {
			known = &units{base: &userVisitors{}, newer: map[int64]int64{}}
		}
		users, newest, err := a.store.VisitorUsers(ctx, d.Site, known.revision)
		if errors.Is(err, store.ErrLost) {
			known = &units{base: &userVisitors{}, newer: map[int64]int64{}}
			users, newest, err = a.store.VisitorUsers(ctx, d.Site, store.Revision{})
		}
		if err != nil {
			return nil, err
		}
		next := known.with(users, newest)
		a.units.Set(d.Site, next)
		return next, nil
	})
}
