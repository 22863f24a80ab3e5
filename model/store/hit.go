package store

import (
	"context"
	"database/sql"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"

	"github.com/uptrace/bun"

	"github.com/goalgraph/goalgraph/model"
)

type hitRow struct {
	bun.BaseModel `bun:"table:hits,alias:hits"`

	SiteID      int64 `bun:",pk"`
	PartitionID int64 `bun:",pk"`
	Ordinal     int32 `bun:",pk"`
	At          int64 `bun:",pk"`
	IDHigh      int64 `bun:",pk"`
	IDLow       int64 `bun:",pk"`
	Kind        model.HitKind
	Name        string
	Value       sql.NullInt64 // in micro-units
	Tags        string
	Properties  string
	Origin      string
}

var hitColumns = []string{"site_id", "partition_id", "ordinal", "at", "id_high", "id_low", "kind", "name", "value", "tags", "properties", "origin"}

func (r *hitRow) values() ([]any, error) {
	return []any{r.SiteID, r.PartitionID, r.Ordinal, r.At, r.IDHigh, r.IDLow, int16(r.Kind), r.Name, r.Value, r.Tags, r.Properties, r.Origin}, nil
}

func hitRowOf(hit *model.Hit, session model.SessionID, first bool) (hitRow, error) {
	high, low := halves(hit.ID)
	row := hitRow{
		SiteID: session.Site, PartitionID: session.Partition, Ordinal: session.Ordinal, At: int64(hit.At), IDHigh: high, IDLow: low,
		Kind: hit.Kind, Name: hit.Name, Value: sql.NullInt64{Int64: int64(hit.Value), Valid: hit.HasValue},
	}
	if err := encodeJSON(&row.Tags, len(hit.Tags), hit.Tags); err != nil {
		return hitRow{}, err
	}
	if err := encodeJSON(&row.Properties, len(hit.Properties), hit.Properties); err != nil {
		return hitRow{}, err
	}
	if first && hit.Origin != (model.Origin{}) {
		// A hit that does not begin its session never will: hits are only added.
		if err := encodeJSON(&row.Origin, 1, hit.Origin); err != nil {
			return hitRow{}, err
		}
	}
	return row, nil
}

func (r *hitRow) hit() (model.Hit, error) {
	hit := model.Hit{
		ID: joined(r.IDHigh, r.IDLow), At: model.Millis(r.At), Kind: r.Kind, Name: r.Name,
		Value: model.Decimal(r.Value.Int64), HasValue: r.Value.Valid,
	}
	err := errors.Join(decodeJSON(r.Tags, &hit.Tags), decodeJSON(r.Properties, &hit.Properties), decodeJSON(r.Origin, &hit.Origin))
	if err != nil {
		return model.Hit{}, fmt.Errorf("hit of session %d/%d: %w", r.PartitionID, r.Ordinal, err)
	}
	return hit, nil
}

func halves(id model.MessageID) (high, low int64) {
	return int64(binary.BigEndian.Uint64(id[:8])), int64(binary.BigEndian.Uint64(id[8:]))
}

func joined(high, low int64) (id model.MessageID) {
	binary.BigEndian.PutUint64(id[:8], uint64(high))
	binary.BigEndian.PutUint64(id[8:], uint64(low))
	return id
}

// hitsOf returns the hits of sessions of a site, by session.
func hitsOf(ctx context.Context, db bun.IDB, site int64, sessions []model.Session) (map[model.SessionID][]model.Hit, error) {
	hits := make(map[model.SessionID][]model.Hit, len(sessions))
	const chunk = 500
	for len(sessions) > 0 {
		n := min(chunk, len(sessions))
		byID := make(map[model.SessionID]*model.Session, n)
		var keys strings.Builder
		for i, session := range sessions[:n] {
			byID[session.ID] = &sessions[i]
			if i > 0 {
				keys.WriteString(", ")
			}
			fmt.Fprintf(&keys, "(%d, %d)", session.ID.Partition, session.ID.Ordinal)
		}
		var rows []hitRow
		if err := db.NewSelect().Model(&rows).Where("site_id = ? AND (partition_id, ordinal) IN (VALUES ?)", site, bun.Safe(keys.String())).Scan(ctx); err != nil {
			return nil, err
		}
		for i := range rows {
			hit, err := rows[i].hit()
			if err != nil {
				return nil, err
			}
			id := model.SessionID{Site: site, Partition: rows[i].PartitionID, Ordinal: rows[i].Ordinal}
			hit.Visitor, hit.SessionKey = byID[id].VisitorKey, byID[id].Key
			hits[id] = append(hits[id], hit)
		}
		sessions = sessions[n:]
	}
	return hits, nil
}
