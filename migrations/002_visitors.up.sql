-- Hits know their place and whose they are, so that they can be folded again by themselves.

-- hits is how many the session has. knows has a bit for each part of the origin that is known (model.Knowledge): of old
-- sessions all, which their first hit decided.
ALTER TABLE sessions ADD COLUMN hits INTEGER NOT NULL DEFAULT 0;
--split
ALTER TABLE sessions ADD COLUMN knows INTEGER NOT NULL DEFAULT 31;
--split
UPDATE sessions SET hits = (SELECT COUNT(*) FROM hits
    WHERE hits.site_id = sessions.site_id AND hits.partition_id = sessions.partition_id AND hits.ordinal = sessions.ordinal);
--split
-- place orders hits of one instant. knows has, from its lowest bit on: the 5 parts of its origin that the hit knows, which of
-- them are its session's (origin has the others), and whether the hit has the session's key. user_id is that of a hit which
-- named no device: whose it is follows from the user's links.
ALTER TABLE hits ADD COLUMN place INTEGER NOT NULL DEFAULT 0;
--split
ALTER TABLE hits ADD COLUMN knows INTEGER NOT NULL DEFAULT 0;
--split
ALTER TABLE hits ADD COLUMN user_id TEXT NOT NULL DEFAULT '';
--split
UPDATE hits SET knows = CASE WHEN kind = 1 THEN 31 ELSE 29 END WHERE origin <> '';
--split
UPDATE hits SET knows = knows + 1024 WHERE EXISTS (SELECT 1 FROM sessions
    WHERE sessions.site_id = hits.site_id AND sessions.partition_id = hits.partition_id AND sessions.ordinal = hits.ordinal AND sessions.session_key <> '');
--split
CREATE INDEX sessions_by_key ON sessions (site_id, visitor_id, session_key) WHERE session_key <> '';
--split
CREATE INDEX hits_by_user ON hits (site_id, user_id, at) WHERE user_id <> '';
--split
ALTER TABLE assignments ADD COLUMN place INTEGER NOT NULL DEFAULT 0;
--split
-- A link says that a user is on a device from a time on. Of one time, the last place and then the last device counts.
CREATE TABLE links (
    site_id BIGINT NOT NULL,
    user_id TEXT NOT NULL,
    at BIGINT NOT NULL,
    place INTEGER NOT NULL,
    device TEXT NOT NULL,
    PRIMARY KEY (site_id, user_id, at, place, device)
);
--split
INSERT INTO links (site_id, user_id, at, place, device) SELECT site_id, user_id, 0, 0, anonymous_id FROM visitor_links;
--split
DROP TABLE visitor_links;
--split
-- first_at is now when the first session that counts began; the largest number without any.
UPDATE visitors SET first_at = COALESCE((SELECT MIN(started_at) FROM sessions
    WHERE sessions.site_id = visitors.site_id AND sessions.visitor_id = visitors.id AND sessions.first_visit), first_at);
--split
-- ignored_referrers is a list of hosts whose visitors count as coming directly. bots says what becomes of the messages of
-- bots: EXCLUDE or INCLUDE.
ALTER TABLE sites ADD COLUMN ignored_referrers TEXT NOT NULL DEFAULT '';
--split
ALTER TABLE sites ADD COLUMN bots TEXT NOT NULL DEFAULT 'EXCLUDE';
--split
-- The value of an event becomes a number of micro-units: 49.99 is 49990000. What older versions took beyond the range of
-- values becomes the last one on its side. The sums in sessions.events stay as they are written: reading rounds them to
-- the six digits that values have.
ALTER TABLE hits ADD COLUMN micros BIGINT;
--split
UPDATE hits SET micros = CASE WHEN value >= 9e12 THEN 8999999999999999999 WHEN value <= -9e12 THEN -8999999999999999999 ELSE {{.Micros}} END
WHERE value IS NOT NULL;
--split
ALTER TABLE hits DROP COLUMN value;
--split
ALTER TABLE hits RENAME COLUMN micros TO value;
--split
-- What is stored of experiments and computations has its format in its seal, and would be taken for damaged.
DELETE FROM experiment_columns;
--split
DELETE FROM computed;
