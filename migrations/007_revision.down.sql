ALTER TABLE sites DROP COLUMN revision;
