-- When a site itself last changed. Of the sites that there are, the revision is when they or their definitions did.
ALTER TABLE sites ADD COLUMN updated_at BIGINT NOT NULL DEFAULT 0;
--split
UPDATE sites SET updated_at = revision;
