package store

import (
	"context"
	"maps"
	"slices"
	"time"

	"github.com/uptrace/bun"

	"github.com/goalgraph/goalgraph/model"
)

// PartitionsAssigned returns the site's partitions of the days of a range that have assignments to an
// experiment, the oldest first.
func (s *Store) PartitionsAssigned(ctx context.Context, site int64, experiment string, in model.Range) (partitions []Partition, err error) {
	defer wrap(&err, "partitions with assignments to %q", experiment)
	first, last := in.Days()
	assigned := s.db.NewSelect().Table("assignments").ColumnExpr("1").
		Where("assignments.site_id = ? AND assignments.experiment = ? AND assignments.partition_id = partitions.id", site, experiment)
	query := s.db.NewSelect().Model(&partitions).Where("site_id = ? AND day BETWEEN ? AND ?", site, first, last).Where("EXISTS (?)", assigned).Order("day")
	return partitions, scanPartitions(ctx, query, &partitions)
}

// AssignmentsAt returns the assignments to an experiment that stand in a partition, ordered
// by session, time and message: those of the sessions at the ordinals alone.
func (s *Store) AssignmentsAt(ctx context.Context, site int64, experiment string, partition int64, ordinals []int32) (assignments []Assignment, err error) {
	defer wrap(&err, "assignments to %q of %d sessions of partition %d", experiment, len(ordinals), partition)
	for chunk := range slices.Chunk(slices.Sorted(slices.Values(ordinals)), insertChunk) {
		var some []Assignment
		if err := s.reading.NewSelect().Model(&some).
			Where("site_id = ? AND experiment = ? AND partition_id = ? AND ordinal IN (?)", site, experiment, partition, bun.List(chunk)).
			Order("ordinal", "at", "place").Scan(ctx); err != nil {
			return nil, err
		}
		sortAssignments(some)
		assignments = append(assignments, some...)
	}
	return assignments, nil
}

// ChangedOrdinals returns the ordinals of a partition that were written after a revision,
// and the revision that it was at then. The error is ErrLost as that of EachChange.
func (s *Store) ChangedOrdinals(ctx context.Context, site, partition int64, after Revision) (ordinals []int32, newest Revision, err error) {
	defer wrap(&err, "changed ordinals of partition %d after %d", partition, after.Number)
	newest = after
	rows, err := s.changed(ctx, ordinalsOf, ordinalsAfter, site, partition, after)
	if err != nil {
		return nil, newest, err
	}
	defer rows.Close()
	for rows.Next() {
		var ordinal int32
		var revision Revision
		if err := rows.Scan(&ordinal, &revision.Number, &revision.Write); err != nil {
			return nil, newest, err
		}
		if ordinals = append(ordinals, ordinal); revision.Number > newest.Number {
			newest = revision
		}
	}
	if err := rows.Err(); err != nil {
		return nil, newest, err
	}
	rows.Close() // in a transaction, the next statement needs the connection
	if newest == after {
		err = s.mustHave(ctx, site, partition, after)
	}
	return ordinals, newest, err
}

var (
	ordinalsOf    = bind("SELECT ordinal, revision, write_id" + ofPartition)
	ordinalsAfter = bind("SELECT ordinal, revision, write_id" + ofPartition + andAfter)
)

// AssignmentsDimension is the record that has the assignments.
const AssignmentsDimension = "assignments"

// experimentColumn is a dimension of a partition and an experiment, as it is stored.
type experimentColumn struct {
	bun.BaseModel `bun:"table:experiment_columns,alias:experiment_columns"`

	SiteID      int64    `bun:",pk"`
	PartitionID int64    `bun:",pk"`
	Experiment  string   `bun:",pk"`
	Dimension   string   `bun:",pk"`
	Revision    Revision `bun:"embed:"`
	Data        []byte
}

// ExperimentColumns returns what is stored of a partition and an experiment, by dimensions, without those that are not
// stored. They are all of one revision, which may be any. The replica is tried for those of the partition's revision.
func (s *Store) ExperimentColumns(ctx context.Context, p *Partition, experiment string, dimensions []string, tries Origin) (columns Stored, err error) {
	defer wrap(&err, "columns of experiment %q in partition %d", experiment, p.ID)
	at := func(p *Partition) Revision { return p.Revision }
	stored, err := s.stored(ctx, []*Partition{p}, len(dimensions), at, tries, func(db *bun.DB, _ []int64) (map[int64][]Record, error) {
		var columns []Record
		err := db.NewSelect().Model((*experimentColumn)(nil)).ColumnExpr("dimension AS name").Column("revision", "write_id", "data").
			Where("site_id = ? AND partition_id = ? AND experiment = ? AND dimension IN (?)", p.SiteID, p.ID, experiment, bun.List(dimensions)).Scan(ctx, &columns)
		return map[int64][]Record{p.ID: columns}, err
	})
	return stored[p.ID], err
}

// SaveExperimentColumns stores all dimensions of a partition and an experiment, as the partition was at a revision,
// AssignmentsDimension among them. What is as new stays as it is, so that several processes may do this at once. What was
// made from a revision that was lost is not stored.
func (s *Store) SaveExperimentColumns(ctx context.Context, site, partition int64, experiment string, revision Revision, columns map[string][]byte) (err error) {
	defer wrap(&err, "save columns of experiment %q in partition %d", experiment, partition)
	return s.inTransaction(ctx, func(tx bun.Tx) error {
		isSavable, err := s.isSavable(ctx, tx, site, partition, revision)
		if err != nil || !isSavable {
			return err
		}
		// The first is also a lock.
		first := experimentColumn{SiteID: site, PartitionID: partition, Experiment: experiment, Dimension: AssignmentsDimension, Revision: revision, Data: columns[AssignmentsDimension]}
		result, err := tx.NewInsert().Model(&first).On("CONFLICT (site_id, partition_id, experiment, dimension) DO UPDATE").
			Set("revision = EXCLUDED.revision").Set("write_id = EXCLUDED.write_id").Set("data = EXCLUDED.data").Where("experiment_columns.revision < EXCLUDED.revision").Exec(ctx)
		if err != nil {
			return err
		}
		if changed, err := result.RowsAffected(); err != nil || changed == 0 {
			return err
		}
		if _, err := tx.NewDelete().Table("experiment_columns").
			Where("site_id = ? AND partition_id = ? AND experiment = ? AND dimension <> ?", site, partition, experiment, AssignmentsDimension).Exec(ctx); err != nil {
			return err
		}
		for _, dimension := range slices.Sorted(maps.Keys(columns)) {
			if dimension == AssignmentsDimension {
				continue
			}
			row := experimentColumn{SiteID: site, PartitionID: partition, Experiment: experiment, Dimension: dimension, Revision: revision, Data: columns[dimension]}
			if _, err := tx.NewInsert().Model(&row).Exec(ctx); err != nil {
				return err
			}
		}
		return nil
	})
}

// ForgetExperimentColumns erases what is stored of a partition and an experiment: it proved to be damaged.
func (s *Store) ForgetExperimentColumns(ctx context.Context, site, partition int64, experiment string) (err error) {
	defer wrap(&err, "forget columns of experiment %q in partition %d", experiment, partition)
	_, err = s.execute(ctx, s.writing.NewDelete().Table("experiment_columns").Where("site_id = ? AND partition_id = ? AND experiment = ?", site, partition, experiment))
	return err
}

// Exposure is a partition in which there are assignments to an experiment.
type Exposure struct {
	Partition
	Experiment string
}

// ExposuresBehind returns partitions of a site with assignments to
// experiments that have started and are not archived, for which no columns are stored as
// the partitions are now, and which were last written to before an instant.
func (s *Store) ExposuresBehind(ctx context.Context, site int64, before model.Millis) (exposures []Exposure, err error) {
	defer wrap(&err, "exposures behind of site %d", site)
	err = s.exposuresBehind(before).ColumnExpr("partitions.*, experiments.key AS experiment").Where("partitions.site_id = ?", site).
		Order("partitions.id", "experiments.id").Scan(ctx, &exposures)
	now := time.Now()
	for i := range exposures {
		exposures[i].ReadAt = now
	}
	return exposures, err
}

func (s *Store) exposuresBehind(before model.Millis) *bun.SelectQuery {
	assigned := s.db.NewSelect().Table("assignments").ColumnExpr("1").
		Where("assignments.site_id = partitions.site_id AND assignments.experiment = experiments.key AND assignments.partition_id = partitions.id")
	return s.db.NewSelect().Table("partitions").
		Join("JOIN experiments ON experiments.site_id = partitions.site_id").
		Join("LEFT JOIN experiment_columns AS stored ON stored.site_id = partitions.site_id AND stored.partition_id = partitions.id AND stored.experiment = experiments.key AND stored.dimension = ?", AssignmentsDimension).
		Where("experiments.started_at > 0 AND experiments.status <> ?", model.Archived).
		Where("(stored.revision IS NULL OR stored.revision < partitions.revision)").
		Where("partitions.written_at < ?", before).Where("EXISTS (?)", assigned)
}
