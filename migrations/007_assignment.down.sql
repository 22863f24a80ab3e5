DROP TABLE kept_assignments;
--split
ALTER TABLE sites DROP COLUMN holdout_seed;
--split
ALTER TABLE sites DROP COLUMN holdout_share;
--split
ALTER TABLE experiments DROP COLUMN only_evaluated;
--split
ALTER TABLE experiments DROP COLUMN rollout;
--split
ALTER TABLE experiments DROP COLUMN forced_variants;
--split
ALTER TABLE experiments DROP COLUMN layer_to;
--split
ALTER TABLE experiments DROP COLUMN layer_from;
--split
ALTER TABLE experiments DROP COLUMN layer_key;
--split
ALTER TABLE experiments DROP COLUMN traffic_share;
--split
ALTER TABLE experiments DROP COLUMN seed;
--split
ALTER TABLE experiments DROP COLUMN assignment;
