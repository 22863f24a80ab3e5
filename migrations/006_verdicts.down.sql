ALTER TABLE experiment_metrics DROP COLUMN margin;
--split
ALTER TABLE experiments DROP COLUMN metric_changed_at;
--split
ALTER TABLE experiments DROP COLUMN decide_at;
--split
ALTER TABLE experiments DROP COLUMN monitoring;
--split
ALTER TABLE experiments DROP COLUMN decides_by;
--split
ALTER TABLE goals DROP COLUMN direction;
