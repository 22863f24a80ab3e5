-- What changes in the life of an experiment: phases are those of the run, as JSON, and earlier_runs what was before it.
ALTER TABLE experiments ADD COLUMN phases TEXT NOT NULL DEFAULT '[]';
--split
ALTER TABLE experiments ADD COLUMN earlier_runs TEXT NOT NULL DEFAULT '[]';
