-- Which of two figures of a goal is better, and what says how an experiment is decided. decide_at and metric_changed_at are
-- 0 without any. A metric with a margin is a guardrail.
ALTER TABLE goals ADD COLUMN direction TEXT NOT NULL DEFAULT 'HIGHER_IS_BETTER';
--split
ALTER TABLE experiments ADD COLUMN decides_by TEXT NOT NULL DEFAULT 'RATE';
--split
ALTER TABLE experiments ADD COLUMN monitoring TEXT NOT NULL DEFAULT 'CONTINUOUS';
--split
ALTER TABLE experiments ADD COLUMN decide_at BIGINT NOT NULL DEFAULT 0;
--split
ALTER TABLE experiments ADD COLUMN metric_changed_at BIGINT NOT NULL DEFAULT 0;
--split
ALTER TABLE experiment_metrics ADD COLUMN margin DOUBLE PRECISION;
