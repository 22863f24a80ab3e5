-- Times are BIGINT milliseconds since 1970-01-01T00:00:00Z; days are UTC days since then.
-- Lists and maps are JSON text that the program alone reads; '' stands for none.

CREATE TABLE sites (
    id {{.Identity}},
    name TEXT NOT NULL,
    timezone TEXT NOT NULL
);
--split
CREATE TABLE site_domains (
    domain TEXT NOT NULL PRIMARY KEY,
    site_id BIGINT NOT NULL REFERENCES sites (id) ON DELETE CASCADE,
    position INTEGER NOT NULL
);
--split
CREATE INDEX site_domains_by_site ON site_domains (site_id, position);
--split
CREATE TABLE goals (
    id {{.Identity}},
    site_id BIGINT NOT NULL REFERENCES sites (id) ON DELETE CASCADE,
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
    site_id BIGINT NOT NULL REFERENCES sites (id) ON DELETE CASCADE,
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
-- A partition is the sessions of one site that started on one UTC day. sessions is how many ordinals
-- were handed out; every session row of it that a write changes carries the revision of that write.
CREATE TABLE partitions (
    id {{.Identity}},
    site_id BIGINT NOT NULL REFERENCES sites (id) ON DELETE CASCADE,
    day INTEGER NOT NULL,
    sessions INTEGER NOT NULL,
    revision BIGINT NOT NULL,
    CONSTRAINT partitions_day UNIQUE (site_id, day)
);
--split
-- first_at is when the visitor's earliest page view or event happened; the largest number without any.
CREATE TABLE visitors (
    id {{.Identity}},
    site_id BIGINT NOT NULL,
    visitor TEXT NOT NULL,
    first_at BIGINT NOT NULL,
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
-- The messages that have been counted: 128 bits of a hash of each one's id.
CREATE TABLE messages (
    site_id BIGINT NOT NULL,
    id_high BIGINT NOT NULL,
    id_low BIGINT NOT NULL,
    day INTEGER NOT NULL,
    PRIMARY KEY (site_id, id_high, id_low)
);
--split
-- visitor_id is 0 where the ordinal was given up: the session counts nowhere.
CREATE TABLE sessions (
    partition_id BIGINT NOT NULL,
    ordinal INTEGER NOT NULL,
    revision BIGINT NOT NULL,
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
    PRIMARY KEY (partition_id, ordinal)
);
--split
CREATE INDEX sessions_by_visitor ON sessions (visitor_id, ended_at);
--split
CREATE INDEX sessions_by_revision ON sessions (partition_id, revision);
--split
-- A hit stands with its session. origin is kept where the hit begins it.
CREATE TABLE hits (
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
    PRIMARY KEY (partition_id, ordinal, at, id_high, id_low)
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
