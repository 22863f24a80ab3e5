ALTER TABLE sites DROP COLUMN bots;
--split
ALTER TABLE sites DROP COLUMN ignored_referrers;
