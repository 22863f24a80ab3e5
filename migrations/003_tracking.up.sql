-- Keys name who sends or asks; of a key's secret only the SHA-256 is kept, in hex, and its first
-- characters, for people. A write key is of one site. revoked_at is 0 while it holds.
-- addresses says how much of a visitor's address a site keeps: WHOLE, TRUNCATED or NONE.
-- An assignment tells that a visitor saw a variant of an experiment, both by their keys; it stands with
-- the hit's session, and moves with it.
-- site_values has the hashes of the distinct values that a dimension of a site has taken, and
-- site_dimensions how many they are.

CREATE TABLE api_keys (
    id {{.Identity}},
    site_id BIGINT REFERENCES sites (id) ON DELETE CASCADE,
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
ALTER TABLE sites ADD COLUMN addresses TEXT NOT NULL DEFAULT 'WHOLE';
--split
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
CREATE INDEX assignments_by_session ON assignments (partition_id, ordinal);
--split
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
CREATE INDEX messages_by_day ON messages (day);
