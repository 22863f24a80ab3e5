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

// VisitorUser tells whose a visitor is: the user's whom the device was linked to first. A device that several users have shared stays
// the first one's.
type VisitorUser struct {
	// Visitor is the visitor's number.
	Visitor int64
	// User is the id that messages give the user.
	User string
	// FirstAt is when the visitor's first session that counts began; model.Open without any.
	FirstAt model.Millis
}

// VisitorUsersRevision returns the revision of what VisitorUsers tells of a site; zero before it tells anything.
func (s *Store) VisitorUsersRevision(ctx context.Context, site int64) (revision Revision, err error) {
	defer wrap(&err, "revision of the visitors' users of site %d", site)
	rows, err := s.dialect.rows(ctx, s.reading, visitorUsersRevision, site)
	if err != nil {
		return Revision{}, err
	}
	return revision, eachOf(rows, func() error { return rows.Scan(&revision.Number, &revision.Write) })
}

var visitorUsersRevision = bind("SELECT revision, write_id FROM visitor_user_revisions WHERE site_id = ?1")

// VisitorUsers returns those of a site's visitors that became some user's, or another one's, after a revision, and the revision until
// which that is so. The order is any. The error is ErrLost if the database does not have what was written until then.
func (s *Store) VisitorUsers(ctx context.Context, site int64, after Revision) (users []VisitorUser, newest Revision, err error) {
	defer wrap(&err, "visitors' users of site %d after %d", site, after.Number)
	err = s.AtOneMoment(ctx, func(st *Store) error {
		if newest, err = st.VisitorUsersRevision(ctx, site); err != nil || newest == after {
			return err
		}
		if !after.IsZero() {
			found := false
			if newest.Number > after.Number {
				if found, err = st.reading.NewSelect().ColumnExpr("1").Where("EXISTS (?)", noted(st.reading, site, after.Write)).Exists(ctx); err != nil {
					return err
				}
			}
			if !found {
				return ErrLost
			}
		}
		rows, err := st.reading.QueryContext(ctx, "SELECT theirs.visitor_id, theirs.user_id, visitors.first_at FROM visitor_users AS theirs "+
			"JOIN visitors ON visitors.site_id = theirs.site_id AND visitors.id = theirs.visitor_id WHERE theirs.site_id = ? AND theirs.revision > ?", site, after.Number)
		if err != nil {
			return err
		}
		return eachOf(rows, func() error {
			var u VisitorUser
			err := rows.Scan(&u.Visitor, &u.User, (*int64)(&u.FirstAt))
			users = append(users, u)
			return err
		})
	})
	return users, newest, err
}

// visitorUserRow says whose a visitor is by a link.
type visitorUserRow struct {
	bun.BaseModel `bun:"table:visitor_users,alias:visitor_users"`

	SiteID    int64 `bun:",pk"`
	VisitorID int64 `bun:",pk"`
	UserID    string
	At        model.Millis
	Place     int32
	Revision  int64
}

// eachOldLink calls do with the links of devices that are visitors again: a site that keeps sessions for a time only forgets a visitor
// with the last one, but not the links of the last day.
func (w *writer) eachOldLink(ctx context.Context, do func(user string, l link)) error {
	if w.options.RetentionDays == nil {
		return nil
	}
	var devices []string
	for _, v := range w.visitors {
		if v.isNew {
			devices = append(devices, v.key)
		}
	}
	for chunk := range slices.Chunk(devices, insertChunk) {
		rows, err := w.tx.QueryContext(ctx, "SELECT user_id, at, place, device FROM links WHERE site_id = ? AND device IN (?)", w.site, bun.List(chunk))
		if err != nil {
			return err
		}
		if err := eachOf(rows, func() error {
			var user string
			var l link
			if err := rows.Scan(&user, (*int64)(&l.at), &l.place, &l.device); err != nil {
				return err
			}
			do(user, l)
			return nil
		}); err != nil {
			return err
		}
	}
	return nil
}

// compare orders links of a visitor: the first one counts.
func (r *visitorUserRow) compare(other *visitorUserRow) int {
	return cmp.Or(cmp.Compare(r.At, other.At), cmp.Compare(r.Place, other.Place), strings.Compare(r.UserID, other.UserID))
}

// saveVisitorUsers says whose the devices are that the batch links. They are locked, as visitors.
func (w *writer) saveVisitorUsers(ctx context.Context) error {
	first := map[int64]*visitorUserRow{} // by visitor
	add := func(user string, l link) {
		row := &visitorUserRow{SiteID: w.site, VisitorID: w.byKey[l.device].id, UserID: user, At: l.at, Place: l.place}
		if known := first[row.VisitorID]; known == nil || row.compare(known) < 0 {
			first[row.VisitorID] = row
		}
	}
	for _, user := range w.users {
		for _, l := range user.added {
			add(user.id, l)
		}
	}
	if err := w.eachOldLink(ctx, add); err != nil {
		return err
	}
	for chunk := range slices.Chunk(slices.Sorted(maps.Keys(first)), insertChunk) {
		var known []visitorUserRow
		if err := w.tx.NewSelect().Model(&known).Where("site_id = ? AND visitor_id IN (?)", w.site, bun.List(chunk)).Scan(ctx); err != nil {
			return err
		}
		for i := range known {
			if id := known[i].VisitorID; known[i].compare(first[id]) <= 0 {
				delete(first, id)
			}
		}
	}
	if len(first) == 0 {
		return nil
	}
	// Who has the revision has all before it: other writers wait until this one is committed.
	var revision int64
	if err := w.tx.NewRaw("INSERT INTO visitor_user_revisions (site_id, revision, write_id) VALUES (?, 1, ?) "+
		"ON CONFLICT (site_id) DO UPDATE SET revision = visitor_user_revisions.revision + 1, write_id = EXCLUDED.write_id RETURNING revision", w.site, w.id).Scan(ctx, &revision); err != nil {
		return err
	}
	rows := make([]visitorUserRow, 0, len(first))
	for _, visitor := range slices.Sorted(maps.Keys(first)) {
		first[visitor].Revision = revision
		rows = append(rows, *first[visitor])
	}
	return w.insert(ctx, len(rows), func(from, to int) *bun.InsertQuery {
		part := rows[from:to]
		return w.tx.NewInsert().Model(&part).On("CONFLICT (site_id, visitor_id) DO UPDATE").
			Set("user_id = EXCLUDED.user_id").Set("at = EXCLUDED.at").Set("place = EXCLUDED.place").Set("revision = EXCLUDED.revision")
	})
}
