DROP INDEX links_by_device;
--split
DROP TABLE erasures;
--split
ALTER TABLE partitions DROP COLUMN erased_revision;
--split
ALTER TABLE sites DROP COLUMN retention_days;
