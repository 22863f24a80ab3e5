-- What plugins computed of sessions, one by one. A computation is a filter's type, plugin, version and arguments (key, known
-- by a hash of it); computed holds, for each partition that it was computed for, the set of the sessions that it chose among
-- those of the revision.

CREATE TABLE computations (
    id {{.Identity}},
    site_id BIGINT NOT NULL REFERENCES sites (id) ON DELETE CASCADE,
    hash TEXT NOT NULL,
    key TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    asked_at BIGINT NOT NULL,
    CONSTRAINT computations_key UNIQUE (site_id, hash)
);
--split
CREATE TABLE computed (
    partition_id BIGINT NOT NULL,
    computation_id BIGINT NOT NULL REFERENCES computations (id) ON DELETE CASCADE,
    revision BIGINT NOT NULL,
    data {{.Bytes}} NOT NULL,
    PRIMARY KEY (partition_id, computation_id)
);
--split
CREATE INDEX computed_by_computation ON computed (computation_id);
