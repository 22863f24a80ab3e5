package store

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"strings"

	"github.com/uptrace/bun"

	"github.com/goalgraph/goalgraph/model"
)

// writtenVisitor is a visitor whose hits change.
type writtenVisitor struct {
	id  int64
	key string
	// isNew tells that the batch is the first to name it, so it has no sessions.
	isNew bool
	// firstAt is when the visitor's first session that counts began, before the write; model.Open without any.
	firstAt model.Millis
	// hits are those of the batch, moved those that were another visitor's, and removals tell of those that become
	// another visitor's, by user and ordered by time.
	hits, moved []model.Hit
	removals    map[string][]removal
	// visits are those of a visitor that nobody knew, and sessions those that hits came to or left.
	visits   []model.Visit
	sessions []writtenSession
}

// firstOf returns when the first of a visitor's visits that counts begins; model.Open without any.
func firstOf(visits []model.Visit) model.Millis {
	for i := range visits {
		if visits[i].Session.Counts() {
			return visits[i].Session.Start
		}
	}
	return model.Open
}

// span returns the times in which hits of the visitor change.
func (v *writtenVisitor) span() (from, to model.Millis) {
	from, to = model.Open, -model.Open
	for _, hits := range [][]model.Hit{v.hits, v.moved} {
		for i := range hits {
			from, to = min(from, hits[i].At), max(to, hits[i].At)
		}
	}
	for _, removals := range v.removals {
		from, to = min(from, removals[0].since), max(to, removals[len(removals)-1].until-1)
	}
	return from, to
}

// removalOf returns what takes a hit from the visitor; nil if it stays.
func (v *writtenVisitor) removalOf(hit *model.Hit) *removal {
	if hit.UserID == "" {
		return nil
	}
	removals := v.removals[hit.UserID]
	after, _ := slices.BinarySearchFunc(removals, hit.At, func(r removal, at model.Millis) int { return cmp.Or(cmp.Compare(r.since, at), -1) })
	if after == 0 || hit.At >= removals[after-1].until {
		return nil
	}
	return &removals[after-1]
}

// resolveVisitors says whose the hits are.
func (w *writer) resolveVisitors(ctx context.Context) error {
	if err := w.readUsers(ctx); err != nil {
		return err
	}
	w.byKey = map[string]*writtenVisitor{}
	visitor := func(key string) *writtenVisitor {
		if w.byKey[key] == nil {
			w.byKey[key] = &writtenVisitor{key: key}
		}
		return w.byKey[key]
	}
	links := map[string][]link{}
	for _, message := range w.fresh {
		if message.Hit.Kind == 0 {
			visitor(message.AnonymousID) // it only links: the device is a visitor, of a user
			continue
		}
		hit := message.Hit
		hit.Visitor = message.AnonymousID
		if hit.Visitor == "" {
			user := w.users[message.UserID]
			if links[user.id] == nil {
				links[user.id] = user.all()
			}
			hit.UserID, hit.Visitor = user.id, user.deviceAt(links[user.id], hit.At)
		}
		hit.Origin.IP = w.options.Addresses.Keep(hit.Origin.IP)
		if w.options.IsOwnHost(hit.Origin.Referrer) {
			hit.Origin.Referrer = ""
		}
		v := visitor(hit.Visitor)
		v.hits = append(v.hits, hit)
	}
	for _, r := range w.removals {
		from := visitor(r.from)
		if from.removals == nil {
			from.removals = map[string][]removal{}
		}
		from.removals[r.user] = append(from.removals[r.user], r)
		visitor(r.to)
	}
	for _, v := range w.byKey {
		for _, removals := range v.removals {
			slices.SortFunc(removals, func(a, b removal) int { return cmp.Compare(a.since, b.since) })
		}
	}
	w.visitors = slices.SortedFunc(maps.Values(w.byKey), func(a, b *writtenVisitor) int { return strings.Compare(a.key, b.key) })
	return nil
}

type visitorRow struct {
	bun.BaseModel `bun:"table:visitors,alias:visitors"`

	ID      int64 `bun:",pk,autoincrement"`
	SiteID  int64
	Visitor string
	FirstAt model.Millis
	// Inserted tells of a row that a statement returns that it was not there before.
	Inserted bool `bun:",scanonly"`
}

// lockVisitors numbers the visitors and keeps other writers away from them.
func (w *writer) lockVisitors(ctx context.Context) error {
	w.keys = make(map[int64]string, len(w.visitors))
	found := func(rows []visitorRow) {
		for _, row := range rows {
			v := w.byKey[row.Visitor]
			v.id, v.isNew, v.firstAt = row.ID, row.Inserted, row.FirstAt
			w.keys[v.id] = v.key
		}
	}
	for chunk := range slices.Chunk(slices.Sorted(maps.Keys(w.byKey)), insertChunk) {
		var known []visitorRow
		query := w.tx.NewSelect().Model(&known).Where("site_id = ? AND visitor IN (?)", w.site, bun.List(chunk)).Order("visitor")
		if w.dialect.rowLock != "" {
			query = query.For(w.dialect.rowLock)
		}
		if err := query.Scan(ctx); err != nil {
			return err
		}
		found(known)
	}
	var rows []visitorRow
	for _, v := range w.visitors {
		if v.id == 0 {
			v.visits = model.Fold(v.hits)
			rows = append(rows, visitorRow{SiteID: w.site, Visitor: v.key, FirstAt: firstOf(v.visits)})
		}
	}
	for chunk := range slices.Chunk(rows, insertChunk) {
		var inserted []visitorRow
		// Where another writer was faster, the update changes nothing: it takes the
		// lock, and makes RETURNING give the row.
		if err := w.tx.NewInsert().Model(&chunk).On("CONFLICT (site_id, visitor) DO UPDATE").Set("visitor = EXCLUDED.visitor").
			Returning("id, visitor, first_at, ? AS inserted", bun.Safe(w.dialect.inserted)).Scan(ctx, &inserted); err != nil {
			return err
		}
		found(inserted)
	}
	return nil
}
