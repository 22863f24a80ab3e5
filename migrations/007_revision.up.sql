-- revision moves with every change of the site itself, of its segments, goals or experiments, so that
-- who follows a site learns of it.

ALTER TABLE sites ADD COLUMN revision BIGINT NOT NULL DEFAULT 0;
