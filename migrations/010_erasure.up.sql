-- What is kept of a visitor can be erased, and sessions are kept for a time only.

-- For how many days after its end a session is kept; 0 is for good.
ALTER TABLE sites ADD COLUMN retention_days INTEGER NOT NULL DEFAULT 0;
--split
-- The revision of the write that erased sessions last: nothing is stored that was made of an older one.
ALTER TABLE partitions ADD COLUMN erased_revision BIGINT NOT NULL DEFAULT 0;
--split
-- Visitors that are to be erased, until they are. It takes several transactions where there is much of them.
CREATE TABLE erasures (
    site_id BIGINT NOT NULL,
    visitor TEXT NOT NULL,
    noted_at BIGINT NOT NULL,
    PRIMARY KEY (site_id, visitor)
);
--split
CREATE INDEX links_by_device ON links (site_id, device, at);
