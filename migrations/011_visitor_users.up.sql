-- A visitor is some user's: that of the earliest link of the device. Of links of one time, that of the first place and then of
-- the first user counts. revision is that of the write that said so.
CREATE TABLE visitor_users (
    site_id BIGINT NOT NULL,
    visitor_id BIGINT NOT NULL,
    user_id TEXT NOT NULL,
    at BIGINT NOT NULL,
    place INTEGER NOT NULL,
    revision BIGINT NOT NULL,
    PRIMARY KEY (site_id, visitor_id)
);
--split
CREATE INDEX visitor_users_by_revision ON visitor_users (site_id, revision);
--split
-- The newest revision of a site's visitor_users, and the random id of the write that it is of.
CREATE TABLE visitor_user_revisions (
    site_id BIGINT NOT NULL PRIMARY KEY,
    revision BIGINT NOT NULL,
    write_id BIGINT NOT NULL
);
--split
-- Devices that are linked, and of which there is no hit, become visitors.
INSERT INTO visitors (site_id, visitor, first_at)
SELECT DISTINCT site_id, device, 9223372036854775807 FROM links
WHERE NOT EXISTS (SELECT 1 FROM visitors WHERE visitors.site_id = links.site_id AND visitors.visitor = links.device);
--split
INSERT INTO visitor_users (site_id, visitor_id, user_id, at, place, revision)
SELECT site_id, id, user_id, at, place, 1 FROM (
    SELECT links.site_id, visitors.id, links.user_id, links.at, links.place,
        ROW_NUMBER() OVER (PARTITION BY links.site_id, links.device ORDER BY links.at, links.place, links.user_id{{.ByBytes}}) AS nth
    FROM links JOIN visitors ON visitors.site_id = links.site_id AND visitors.visitor = links.device
) AS numbered WHERE nth = 1;
--split
INSERT INTO visitor_user_revisions (site_id, revision, write_id) SELECT DISTINCT site_id, 1, 0 FROM visitor_users;
--split
-- unit is what an experiment assigns and counts: VISITOR or USER.
ALTER TABLE experiments ADD COLUMN unit TEXT NOT NULL DEFAULT 'VISITOR';
