package store

import (
	"context"
	"database/sql"
	"maps"
	"slices"
	"strings"

	"github.com/uptrace/bun"

	"github.com/goalgraph/goalgraph/model"
)

// KeptAssignment is the variant that a visitor has been given in a run of an experiment.
type KeptAssignment struct {
	Visitor    string
	Experiment int64
	// Run is when the run began.
	Run     model.Millis
	Variant string
}

// Assignee is who is to be given a variant.
type Assignee struct {
	// Visitor is the visitor's key.
	Visitor string
	// Kept are the kept assignments of the visitor, and of a user before he had a device, those to the newest experiments first, at
	// most maxKept.
	Kept []KeptAssignment
}

// maxKept is how many kept assignments of a visitor are read: more than there are experiments at once.
const maxKept = 1000

// assignee finds the visitor as writeuser.go does: the device of the user's latest link, or else of the first one to come.
var assignee = bind(`WITH assignee AS (SELECT COALESCE(
	(SELECT device FROM links WHERE site_id = ?1 AND user_id = ?2 AND at <= ?3 ORDER BY at DESC, place DESC, device DESC LIMIT 1),
	(SELECT device FROM links WHERE site_id = ?1 AND user_id = ?2 AND at > ?3 ORDER BY at, place, device LIMIT 1), ?2) AS visitor)
	SELECT assignee.visitor, COALESCE(kept.visitor, ''), COALESCE(kept.experiment_id, 0), COALESCE(kept.run, 0), COALESCE(kept.variant, '')
	FROM assignee LEFT JOIN kept_assignments AS kept ON kept.site_id = ?1 AND kept.visitor IN (assignee.visitor, ?2)
	ORDER BY kept.experiment_id DESC LIMIT ?4`)

// Assignee returns who an anonymousId or a userId is at a time, and what that visitor has been given.
func (s *Store) Assignee(ctx context.Context, site int64, name string, at model.Millis) (found Assignee, err error) {
	defer wrap(&err, "assignee of site %d", site)
	rows, err := s.dialect.rows(ctx, s.db, assignee, site, name, int64(at), maxKept)
	if err != nil {
		return found, err
	}
	defer rows.Close()
	for rows.Next() {
		kept := KeptAssignment{}
		if err := rows.Scan(&found.Visitor, &kept.Visitor, &kept.Experiment, (*int64)(&kept.Run), &kept.Variant); err != nil {
			return found, err
		}
		if kept.Experiment != 0 {
			found.Kept = append(found.Kept, kept)
		}
	}
	return found, rows.Err()
}

// KeepAssignments keeps assignments of a site's visitors. One that the visitor has already in the run stays, and those to
// experiments that are gone are left out.
func (s *Store) KeepAssignments(ctx context.Context, site int64, kept []KeptAssignment) (err error) {
	defer wrap(&err, "keep %d assignments of site %d", len(kept), site)
	for chunk := range slices.Chunk(kept, insertChunk) {
		list := listed(chunk, func(k KeptAssignment) []any { return []any{k.Visitor, k.Experiment, int64(k.Run), k.Variant} })
		if _, err := s.execute(ctx, s.writing.NewRaw("INSERT INTO kept_assignments (site_id, visitor, experiment_id, run, variant) "+
			"SELECT experiments.site_id, listed.column1, experiments.id, listed.column3, listed.column4 FROM ? JOIN experiments ON experiments.id = listed.column2 "+
			"WHERE experiments.site_id = ? ON CONFLICT DO NOTHING", list, site)); err != nil {
			return err
		}
	}
	return nil
}

var lastSession = bind("SELECT " + strings.Join(sessionColumns, ", ") + " FROM sessions WHERE site_id = ?1 AND " + counted +
	" AND visitor_id = (SELECT id FROM visitors WHERE site_id = ?1 AND visitor = ?2) ORDER BY ended_at DESC, partition_id DESC, ordinal DESC LIMIT 1")

// LastSession returns the session of a visitor that counts and ended last, nil without any. VisitorKey is not set.
func (s *Store) LastSession(ctx context.Context, site int64, visitor string) (last *model.Session, err error) {
	defer wrap(&err, "last session of a visitor of site %d", site)
	rows, err := s.dialect.rows(ctx, s.db, lastSession, site, visitor)
	if err != nil {
		return nil, err
	}
	return last, eachRow(rows, false, func(_ Revision, session *model.Session) error {
		last = session
		return nil
	})
}

// MaxJoined is how many kept assignments CountUnjoined looks at: those that are first by the visitors' names.
const MaxJoined = 100_000

// CountUnjoined returns how many of the visitors with a kept assignment in a run, of MaxJoined at most, have sent nothing but
// assignments, under the name that they were assigned by.
func (s *Store) CountUnjoined(ctx context.Context, site, experiment int64, run model.Millis) (n int, err error) {
	defer wrap(&err, "unjoined assignments to experiment %d", experiment)
	err = s.reading.NewRaw("SELECT COUNT(*) FROM (SELECT visitor FROM kept_assignments WHERE site_id = ?0 AND experiment_id = ?1 AND run = ?2 ORDER BY visitor LIMIT ?3) AS kept "+
		"WHERE NOT EXISTS (SELECT 1 FROM links WHERE links.site_id = ?0 AND links.user_id = kept.visitor) "+
		"AND NOT EXISTS (SELECT 1 FROM visitors JOIN sessions ON sessions.site_id = ?0 AND sessions.visitor_id = visitors.id "+
		"WHERE visitors.site_id = ?0 AND visitors.visitor = kept.visitor AND sessions.hits > "+
		"(SELECT COUNT(*) FROM assignments WHERE assignments.site_id = ?0 AND assignments.partition_id = sessions.partition_id AND assignments.ordinal = sessions.ordinal))",
		site, experiment, run, MaxJoined).Scan(ctx, &n)
	return n, err
}

// keepOwnAssignments takes the assignments out of hits that Goalgraph has not made, to experiments that take only its own.
func (w *writer) keepOwnAssignments(ctx context.Context) error {
	var assigning []*model.Hit
	keys := map[string]bool{}
	for _, v := range w.visitors {
		for i := range v.hits {
			if hit := &v.hits[i]; hit.Experiment != "" {
				assigning = append(assigning, hit)
				keys[hit.Experiment] = true
			}
		}
	}
	if len(keys) == 0 {
		return nil
	}
	type run struct {
		id      int64
		started model.Millis
	}
	only := map[string]run{}
	for chunk := range slices.Chunk(slices.Sorted(maps.Keys(keys)), insertChunk) {
		rows, err := w.tx.QueryContext(ctx, "SELECT key, id, started_at FROM experiments WHERE site_id = ? AND only_evaluated AND assignment = ? AND key IN (?)",
			w.site, model.GoalgraphAssignment, bun.List(chunk))
		if err != nil {
			return err
		}
		if err := eachOf(rows, func() error {
			var key string
			var of run
			err := rows.Scan(&key, &of.id, (*int64)(&of.started))
			only[key] = of
			return err
		}); err != nil {
			return err
		}
	}
	for _, hit := range assigning {
		if of, found := only[hit.Experiment]; found && hit.ID != model.ExposureID(w.site, of.id, of.started, hit.Visitor) {
			hit.Experiment, hit.Variant = "", ""
		}
	}
	return nil
}

// eachOf calls do for each row, and closes the rows.
func eachOf(rows *sql.Rows, do func() error) error {
	defer rows.Close()
	for rows.Next() {
		if err := do(); err != nil {
			return err
		}
	}
	return rows.Err()
}
