-- Experiments are measured by goals: position 0 is the primary metric, and secondary ones follow. A goal stays
-- while it is a metric. Times that an experiment has not come to are 0.

CREATE TABLE experiments (
    id {{.Identity}},
    site_id BIGINT NOT NULL REFERENCES sites (id) ON DELETE CASCADE,
    key TEXT NOT NULL,
    name TEXT NOT NULL,
    description TEXT NOT NULL,
    status TEXT NOT NULL,
    variants TEXT NOT NULL,
    audience TEXT NOT NULL,
    attribution TEXT NOT NULL,
    winner TEXT NOT NULL,
    started_at BIGINT NOT NULL,
    stopped_at BIGINT NOT NULL,
    search_text TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    CONSTRAINT experiments_key UNIQUE (site_id, key)
);
--split
CREATE TABLE experiment_metrics (
    experiment_id BIGINT NOT NULL REFERENCES experiments (id) ON DELETE CASCADE,
    goal_id BIGINT NOT NULL REFERENCES goals (id),
    position INTEGER NOT NULL,
    PRIMARY KEY (experiment_id, goal_id)
);
--split
CREATE INDEX experiment_metrics_by_goal ON experiment_metrics (goal_id);
