DROP TABLE columns;
--split
DROP TABLE instance;
--split
ALTER TABLE buckets DROP COLUMN columns_format;
--split
ALTER TABLE buckets DROP COLUMN columns_revision;
--split
ALTER TABLE buckets DROP COLUMN written_at;
