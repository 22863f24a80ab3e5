-- Of the sessions of a partition in which visitors were assigned to an experiment: the assignments, as a dimension of that name, and
-- the columns of what the sessions are from their first one on, a dimension a row, as they were at a revision of the partition.

CREATE TABLE experiment_columns (
    partition_id BIGINT NOT NULL,
    experiment TEXT NOT NULL,
    dimension TEXT NOT NULL,
    revision BIGINT NOT NULL,
    data {{.Bytes}} NOT NULL,
    PRIMARY KEY (partition_id, experiment, dimension)
);
