-- ignored_referrers is a list of hosts whose visitors count as coming directly. bots says what becomes of the messages of
-- bots: EXCLUDE or INCLUDE.
ALTER TABLE sites ADD COLUMN ignored_referrers TEXT NOT NULL DEFAULT '';
--split
ALTER TABLE sites ADD COLUMN bots TEXT NOT NULL DEFAULT 'EXCLUDE';
