-- The schema. Times are BIGINT milliseconds since 1970-01-01T00:00:00Z; days are UTC days since then. Lists and maps are
-- JSON text that the program alone reads; '' stands for none.
--
-- The tables from partitions on hold visits. Their keys and indexes begin with the site: each statement is about one, and
-- a cluster keeps all rows of a site together. They have no foreign keys: who writes locks the site.

-- addresses says how much of a visitor's address the site keeps: WHOLE, TRUNCATED or NONE. revision moves with every
-- change of the site, its segments, goals and experiments.
CREATE TABLE sites (
    id {{.Identity}},
    name TEXT NOT NULL,
    timezone TEXT NOT NULL,
    addresses TEXT NOT NULL,
    revision BIGINT NOT NULL DEFAULT 0
);
--split
CREATE TABLE site_domains (
    domain TEXT NOT NULL PRIMARY KEY,
    site_id BIGINT NOT NULL,
    position INTEGER NOT NULL
);
--split
CREATE INDEX site_domains_by_site ON site_domains (site_id, position);
--split
CREATE TABLE goals (
    id {{.Identity}},
    site_id BIGINT NOT NULL,
    key TEXT NOT NULL,
    name TEXT NOT NULL,
    description TEXT NOT NULL,
    filters TEXT NOT NULL,
    value_event TEXT NOT NULL,
    archived BOOLEAN NOT NULL,
    search_text TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    CONSTRAINT goals_key UNIQUE (site_id, key)
);
--split
-- A segment that was converted is kept, out of sight, under the goal that stands in its place.
CREATE TABLE segments (
    id {{.Identity}},
    site_id BIGINT NOT NULL,
    goal_id BIGINT REFERENCES goals (id) ON DELETE CASCADE,
    name TEXT NOT NULL,
    filters TEXT NOT NULL,
    active BOOLEAN NOT NULL,
    search_text TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL
);
--split
CREATE INDEX segments_by_site ON segments (site_id, id);
--split
CREATE INDEX segments_by_goal ON segments (goal_id);
--split
-- Times that an experiment has not come to are 0.
CREATE TABLE experiments (
    id {{.Identity}},
    site_id BIGINT NOT NULL,
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
-- The goals that an experiment is measured by, which stay while they are. Position 0 is the primary metric.
CREATE TABLE experiment_metrics (
    experiment_id BIGINT NOT NULL REFERENCES experiments (id) ON DELETE CASCADE,
    goal_id BIGINT NOT NULL REFERENCES goals (id),
    position INTEGER NOT NULL,
    PRIMARY KEY (experiment_id, goal_id)
);
--split
CREATE INDEX experiment_metrics_by_goal ON experiment_metrics (goal_id);
--split
-- Keys name who sends or asks. Of a key's secret only the SHA-256 is kept, in hex, and its first characters, for people.
-- A write key is of one site. revoked_at is 0 while the key holds.
CREATE TABLE api_keys (
    id {{.Identity}},
    site_id BIGINT,
    scope TEXT NOT NULL,
    name TEXT NOT NULL,
    prefix TEXT NOT NULL,
    hash TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    revoked_at BIGINT NOT NULL,
    CONSTRAINT api_keys_hash UNIQUE (hash)
);
--split
CREATE INDEX api_keys_by_site ON api_keys (site_id);
--split
-- One row, whose id tells this database from others where something is shared.
CREATE TABLE instance (
    one INTEGER NOT NULL PRIMARY KEY,
    id TEXT NOT NULL
);
--split
-- A partition is the sessions of one site that started on one UTC day. sessions is how many ordinals were handed out.
-- revision counts the writes to it, write_id is the random id of the last one, and written_at when that was. Together,
-- revision and write_id name its state: a database that lost writes comes to the same revisions again, by other writes.
-- columns_revision, columns_write_id and columns_format are those of the stored columns.
CREATE TABLE partitions (
    id {{.SiteIdentity}},
    site_id BIGINT NOT NULL,
    day INTEGER NOT NULL,
    sessions INTEGER NOT NULL,
    revision BIGINT NOT NULL,
    write_id BIGINT NOT NULL,
    written_at BIGINT NOT NULL,
    columns_revision BIGINT NOT NULL DEFAULT 0,
    columns_write_id BIGINT NOT NULL DEFAULT 0,
    columns_format INTEGER NOT NULL DEFAULT 0,
    {{.SiteKey}},
    CONSTRAINT partitions_day UNIQUE (site_id, day)
);
--split
-- The columns of a partition's sessions, a dimension a row, as they were at a revision.
CREATE TABLE columns (
    site_id BIGINT NOT NULL,
    partition_id BIGINT NOT NULL,
    dimension TEXT NOT NULL,
    revision BIGINT NOT NULL,
    write_id BIGINT NOT NULL,
    data {{.Bytes}} NOT NULL,
    PRIMARY KEY (site_id, partition_id, dimension)
);
--split
-- first_at is when the visitor's earliest page view or event happened; the largest number without any.
CREATE TABLE visitors (
    id {{.SiteIdentity}},
    site_id BIGINT NOT NULL,
    visitor TEXT NOT NULL,
    first_at BIGINT NOT NULL,
    {{.SiteKey}},
    CONSTRAINT visitors_key UNIQUE (site_id, visitor)
);
--split
CREATE TABLE visitor_links (
    site_id BIGINT NOT NULL,
    user_id TEXT NOT NULL,
    anonymous_id TEXT NOT NULL,
    PRIMARY KEY (site_id, user_id)
);
--split
-- The messages that were counted: 128 bits of a hash of each one's id. Each write is noted here too, by its own id and 0:
-- a write that is noted is part of this database's history.
CREATE TABLE messages (
    site_id BIGINT NOT NULL,
    id_high BIGINT NOT NULL,
    id_low BIGINT NOT NULL,
    day INTEGER NOT NULL,
    PRIMARY KEY (site_id, id_high, id_low)
);
--split
-- By an expression, so that no plan looks for one message among all of its site.
CREATE INDEX messages_by_day ON messages ((site_id + 0), day);
--split
-- revision and write_id are those of the write that changed the row last. visitor_id is 0 where the ordinal was given up:
-- the session counts nowhere.
CREATE TABLE sessions (
    site_id BIGINT NOT NULL,
    partition_id BIGINT NOT NULL,
    ordinal INTEGER NOT NULL,
    revision BIGINT NOT NULL,
    write_id BIGINT NOT NULL,
    visitor_id BIGINT NOT NULL,
    session_key TEXT NOT NULL,
    first_visit BOOLEAN NOT NULL,
    started_at BIGINT NOT NULL,
    ended_at BIGINT NOT NULL,
    page_views INTEGER NOT NULL,
    ip TEXT NOT NULL,
    country TEXT NOT NULL,
    region TEXT NOT NULL,
    city TEXT NOT NULL,
    referrer TEXT NOT NULL,
    entry_page TEXT NOT NULL,
    hostname TEXT NOT NULL,
    exit_page TEXT NOT NULL,
    browser TEXT NOT NULL,
    os TEXT NOT NULL,
    device TEXT NOT NULL,
    language TEXT NOT NULL,
    utm_source TEXT NOT NULL,
    utm_medium TEXT NOT NULL,
    utm_campaign TEXT NOT NULL,
    utm_term TEXT NOT NULL,
    utm_content TEXT NOT NULL,
    pages TEXT NOT NULL,
    tags TEXT NOT NULL,
    events TEXT NOT NULL,
    properties TEXT NOT NULL,
    PRIMARY KEY (site_id, partition_id, ordinal)
);
--split
CREATE INDEX sessions_by_visitor ON sessions (site_id, visitor_id, ended_at);
--split
CREATE INDEX sessions_by_revision ON sessions (site_id, partition_id, revision);
--split
-- A hit stands with its session. origin is kept where the hit begins it.
CREATE TABLE hits (
    site_id BIGINT NOT NULL,
    partition_id BIGINT NOT NULL,
    ordinal INTEGER NOT NULL,
    at BIGINT NOT NULL,
    id_high BIGINT NOT NULL,
    id_low BIGINT NOT NULL,
    kind INTEGER NOT NULL,
    name TEXT NOT NULL,
    value DOUBLE PRECISION,
    tags TEXT NOT NULL,
    properties TEXT NOT NULL,
    origin TEXT NOT NULL,
    PRIMARY KEY (site_id, partition_id, ordinal, at, id_high, id_low)
);
--split
CREATE TABLE events (
    site_id BIGINT NOT NULL,
    name TEXT NOT NULL,
    search_text TEXT NOT NULL,
    count BIGINT NOT NULL,
    first_at BIGINT NOT NULL,
    last_at BIGINT NOT NULL,
    has_value BOOLEAN NOT NULL,
    PRIMARY KEY (site_id, name)
);
--split
-- How many distinct values a dimension of a site has taken, and the hashes of these.
CREATE TABLE site_dimensions (
    site_id BIGINT NOT NULL,
    dimension TEXT NOT NULL,
    distinct_values INTEGER NOT NULL,
    PRIMARY KEY (site_id, dimension)
);
--split
CREATE TABLE site_values (
    site_id BIGINT NOT NULL,
    dimension TEXT NOT NULL,
    hash BIGINT NOT NULL,
    PRIMARY KEY (site_id, dimension, hash)
);
--split
-- An assignment tells that a visitor saw a variant of an experiment, both by their keys. It stands with the hit's
-- session, and moves with it.
CREATE TABLE assignments (
    site_id BIGINT NOT NULL,
    experiment TEXT NOT NULL,
    partition_id BIGINT NOT NULL,
    ordinal INTEGER NOT NULL,
    at BIGINT NOT NULL,
    id_high BIGINT NOT NULL,
    id_low BIGINT NOT NULL,
    visitor_id BIGINT NOT NULL,
    variant TEXT NOT NULL,
    PRIMARY KEY (site_id, experiment, partition_id, ordinal, at, id_high, id_low)
);
--split
CREATE INDEX assignments_by_session ON assignments (site_id, partition_id, ordinal);
--split
-- Of a partition's sessions with assignments to an experiment: the assignments, as a dimension of that name, and the
-- columns of what the sessions are from their first one on, a dimension a row, as they were at a revision.
CREATE TABLE experiment_columns (
    site_id BIGINT NOT NULL,
    partition_id BIGINT NOT NULL,
    experiment TEXT NOT NULL,
    dimension TEXT NOT NULL,
    revision BIGINT NOT NULL,
    write_id BIGINT NOT NULL,
    data {{.Bytes}} NOT NULL,
    PRIMARY KEY (site_id, partition_id, experiment, dimension)
);
--split
-- What plugins computed of sessions, one by one. A computation is a filter's type, plugin, version and arguments (key,
-- known by a hash of it).
CREATE TABLE computations (
    id {{.SiteIdentity}},
    site_id BIGINT NOT NULL,
    hash TEXT NOT NULL,
    key TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    asked_at BIGINT NOT NULL,
    {{.SiteKey}},
    CONSTRAINT computations_key UNIQUE (site_id, hash)
);
--split
-- The set of the sessions of a partition that a computation chose, as they were at a revision.
CREATE TABLE computed (
    site_id BIGINT NOT NULL,
    partition_id BIGINT NOT NULL,
    computation_id BIGINT NOT NULL,
    revision BIGINT NOT NULL,
    write_id BIGINT NOT NULL,
    data {{.Bytes}} NOT NULL,
    PRIMARY KEY (site_id, partition_id, computation_id)
);
--split
CREATE INDEX computed_by_computation ON computed (site_id, computation_id);
--split
-- What one process at a time does for a site, until an instant: storing columns.
CREATE TABLE leases (
    site_id BIGINT NOT NULL,
    name TEXT NOT NULL,
    holder TEXT NOT NULL,
    until BIGINT NOT NULL,
    PRIMARY KEY (site_id, name)
);
