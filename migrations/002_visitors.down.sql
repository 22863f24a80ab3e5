ALTER TABLE hits ADD COLUMN number DOUBLE PRECISION;
--split
UPDATE hits SET number = value / 1e6 WHERE value IS NOT NULL;
--split
ALTER TABLE hits DROP COLUMN value;
--split
ALTER TABLE hits RENAME COLUMN number TO value;
--split
DELETE FROM experiment_columns;
--split
DELETE FROM computed;
--split
ALTER TABLE sites DROP COLUMN bots;
--split
ALTER TABLE sites DROP COLUMN ignored_referrers;
--split
CREATE TABLE visitor_links (
    site_id BIGINT NOT NULL,
    user_id TEXT NOT NULL,
    anonymous_id TEXT NOT NULL,
    PRIMARY KEY (site_id, user_id)
);
--split
INSERT INTO visitor_links (site_id, user_id, anonymous_id) SELECT site_id, user_id, MAX(device) FROM links
    WHERE at = (SELECT MAX(later.at) FROM links AS later WHERE later.site_id = links.site_id AND later.user_id = links.user_id)
    GROUP BY site_id, user_id;
--split
DROP TABLE links;
--split
ALTER TABLE assignments DROP COLUMN place;
--split
DROP INDEX hits_by_user;
--split
DROP INDEX sessions_by_key;
--split
ALTER TABLE hits DROP COLUMN user_id;
--split
ALTER TABLE hits DROP COLUMN knows;
--split
ALTER TABLE hits DROP COLUMN place;
--split
ALTER TABLE sessions DROP COLUMN knows;
--split
ALTER TABLE sessions DROP COLUMN hits;
