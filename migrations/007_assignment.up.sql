-- Goalgraph assigns visitors to variants. seed is the experiment's key unless said otherwise, layer_key is empty without a
-- layer, and forced_variants is a list of visitors with their variants.
ALTER TABLE experiments ADD COLUMN assignment TEXT NOT NULL DEFAULT 'EXTERNAL';
--split
ALTER TABLE experiments ADD COLUMN seed TEXT NOT NULL DEFAULT '';
--split
UPDATE experiments SET seed = key;
--split
ALTER TABLE experiments ADD COLUMN traffic_share DOUBLE PRECISION NOT NULL DEFAULT 1;
--split
ALTER TABLE experiments ADD COLUMN layer_key TEXT NOT NULL DEFAULT '';
--split
ALTER TABLE experiments ADD COLUMN layer_from DOUBLE PRECISION NOT NULL DEFAULT 0;
--split
ALTER TABLE experiments ADD COLUMN layer_to DOUBLE PRECISION NOT NULL DEFAULT 0;
--split
ALTER TABLE experiments ADD COLUMN forced_variants TEXT NOT NULL DEFAULT '';
--split
ALTER TABLE experiments ADD COLUMN rollout BOOLEAN NOT NULL DEFAULT FALSE;
--split
ALTER TABLE experiments ADD COLUMN only_evaluated BOOLEAN NOT NULL DEFAULT FALSE;
--split
-- holdout_share is 0 where no visitor is held out.
ALTER TABLE sites ADD COLUMN holdout_share DOUBLE PRECISION NOT NULL DEFAULT 0;
--split
ALTER TABLE sites ADD COLUMN holdout_seed TEXT NOT NULL DEFAULT '';
--split
-- The variant that a visitor has been given in a run of an experiment, which is known by when it began.
CREATE TABLE kept_assignments (
    site_id BIGINT NOT NULL,
    visitor TEXT NOT NULL,
    experiment_id BIGINT NOT NULL,
    run BIGINT NOT NULL,
    variant TEXT NOT NULL,
    PRIMARY KEY (site_id, visitor, experiment_id, run)
);
--split
CREATE INDEX kept_assignments_by_run ON kept_assignments (site_id, experiment_id, run, visitor);
