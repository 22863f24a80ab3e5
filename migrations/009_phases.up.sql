-- What changes in the life of an experiment: phases are those of the run, as JSON, and earlier_runs what was before it.
ALTER TABLE experiments ADD COLUMN phases TEXT NOT NULL DEFAULT '[]';
--split
ALTER TABLE experiments ADD COLUMN earlier_runs TEXT NOT NULL DEFAULT '[]';
--split
-- window_ms is how long after an assignment something counts, 0 for no limit, and multiple_exposures FIRST or EXCLUDE.
ALTER TABLE experiments ADD COLUMN window_ms BIGINT NOT NULL DEFAULT 0;
--split
ALTER TABLE experiments ADD COLUMN multiple_exposures TEXT NOT NULL DEFAULT 'FIRST';
--split
-- prior_lift is 0 without a prior.
ALTER TABLE experiments ADD COLUMN prior_lift DOUBLE PRECISION NOT NULL DEFAULT 0;
--split
ALTER TABLE experiments ADD COLUMN notes TEXT NOT NULL DEFAULT '';
--split
ALTER TABLE experiments ADD COLUMN conclusion TEXT NOT NULL DEFAULT '';
--split
-- The direction that an experiment gives a metric; empty for that of the goal.
ALTER TABLE experiment_metrics ADD COLUMN direction TEXT NOT NULL DEFAULT '';
