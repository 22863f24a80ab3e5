-- The columns of a partition's sessions, a dimension a row, as they were at columns_revision. written_at
-- is when the partition was last written to: when it has been quiet for a while, its columns are stored.
-- instance has one row, whose id tells this database from all others where something is shared.

CREATE TABLE instance (
    one INTEGER NOT NULL PRIMARY KEY,
    id TEXT NOT NULL
);
--split
ALTER TABLE partitions ADD COLUMN written_at BIGINT NOT NULL DEFAULT 0;
--split
ALTER TABLE partitions ADD COLUMN columns_revision BIGINT NOT NULL DEFAULT 0;
--split
ALTER TABLE partitions ADD COLUMN columns_format INTEGER NOT NULL DEFAULT 0;
--split
CREATE TABLE columns (
    partition_id BIGINT NOT NULL,
    dimension TEXT NOT NULL,
    revision BIGINT NOT NULL,
    data {{.Bytes}} NOT NULL,
    PRIMARY KEY (partition_id, dimension)
);
