package store

import (
	"context"

	"github.com/uptrace/bun"
)

type certificateRow struct {
	bun.BaseModel `bun:"table:certificates,alias:certificates"`

	Name string `bun:",pk"`
	Data []byte
}

// Certificate returns what is kept under a name, or NotFound.
func (s *Store) Certificate(ctx context.Context, name string) (data []byte, err error) {
	defer wrap(&err, "certificate %.80q", name)
	var row certificateRow
	err = s.db.NewSelect().Model(&row).Where("name = ?", name).Scan(ctx)
	return row.Data, notFound(err, "certificate")
}

// SaveCertificate keeps data under a name.
func (s *Store) SaveCertificate(ctx context.Context, name string, data []byte) (err error) {
	defer wrap(&err, "save certificate %.80q", name)
	_, err = s.db.NewInsert().Model(&certificateRow{Name: name, Data: data}).On("CONFLICT (name) DO UPDATE").Set("data = EXCLUDED.data").Exec(ctx)
	return err
}

// DeleteCertificate deletes what is kept under a name, if anything is.
func (s *Store) DeleteCertificate(ctx context.Context, name string) (err error) {
	defer wrap(&err, "delete certificate %.80q", name)
	_, err = s.db.NewDelete().Table("certificates").Where("name = ?", name).Exec(ctx)
	return err
}
