DROP TABLE columns;
--split
DROP TABLE instance;
--split
ALTER TABLE partitions DROP COLUMN columns_format;
--split
ALTER TABLE partitions DROP COLUMN columns_revision;
--split
ALTER TABLE partitions DROP COLUMN written_at;
