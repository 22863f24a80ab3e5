ALTER TABLE experiments DROP COLUMN earlier_runs;
--split
ALTER TABLE experiments DROP COLUMN phases;
