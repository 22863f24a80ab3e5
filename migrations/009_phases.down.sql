ALTER TABLE experiment_metrics DROP COLUMN direction;
--split
ALTER TABLE experiments DROP COLUMN conclusion;
--split
ALTER TABLE experiments DROP COLUMN notes;
--split
ALTER TABLE experiments DROP COLUMN prior_lift;
--split
ALTER TABLE experiments DROP COLUMN multiple_exposures;
--split
ALTER TABLE experiments DROP COLUMN window_ms;
--split
ALTER TABLE experiments DROP COLUMN earlier_runs;
--split
ALTER TABLE experiments DROP COLUMN phases;
