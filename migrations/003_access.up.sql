-- Who may do what. Keys, people, their logins and the log of changes stand beside the definitions: no statement joins them
-- with visits.

-- A key is of all sites, or of those in key_sites; it is of none when these are deleted. expires_at and last_used_at are 0
-- without any. last_used_at has a grain of a minute.
ALTER TABLE api_keys ADD COLUMN all_sites BOOLEAN NOT NULL DEFAULT FALSE;
--split
ALTER TABLE api_keys ADD COLUMN expires_at BIGINT NOT NULL DEFAULT 0;
--split
ALTER TABLE api_keys ADD COLUMN created_by TEXT NOT NULL DEFAULT '';
--split
ALTER TABLE api_keys ADD COLUMN last_used_at BIGINT NOT NULL DEFAULT 0;
--split
ALTER TABLE api_keys ADD COLUMN origins TEXT NOT NULL DEFAULT '';
--split
CREATE TABLE key_sites (
    key_id BIGINT NOT NULL,
    site_id BIGINT NOT NULL,
    PRIMARY KEY (key_id, site_id)
);
--split
CREATE INDEX key_sites_by_site ON key_sites (site_id);
--split
INSERT INTO key_sites (key_id, site_id) SELECT id, site_id FROM api_keys WHERE site_id IS NOT NULL;
--split
UPDATE api_keys SET all_sites = TRUE WHERE site_id IS NULL;
--split
DROP INDEX api_keys_by_site;
--split
ALTER TABLE api_keys DROP COLUMN site_id;
--split
-- People. login is the name as it is compared. password is an argon2id hash, '' before one is set. subject is who an OpenID
-- provider says it is, '' for those who have a password. disabled_at is 0 while the user may log in.
CREATE TABLE users (
    id {{.Identity}},
    name TEXT NOT NULL,
    login TEXT NOT NULL,
    password TEXT NOT NULL,
    subject TEXT NOT NULL,
    created_by TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    disabled_at BIGINT NOT NULL,
    CONSTRAINT users_login UNIQUE (login)
);
--split
CREATE UNIQUE INDEX users_subject ON users (subject) WHERE subject <> '';
--split
-- What a user may do, by site; site 0 stands for all of them.
CREATE TABLE user_roles (
    user_id BIGINT NOT NULL,
    site_id BIGINT NOT NULL,
    role TEXT NOT NULL,
    PRIMARY KEY (user_id, site_id)
);
--split
CREATE INDEX user_roles_by_site ON user_roles (site_id);
--split
-- Links by which people set their password, once. Of what a link says only the SHA-256 is kept, in hex.
CREATE TABLE password_links (
    hash TEXT NOT NULL PRIMARY KEY,
    user_id BIGINT NOT NULL,
    expires_at BIGINT NOT NULL
);
--split
CREATE INDEX password_links_by_user ON password_links (user_id);
--split
-- Logins that have not ended, by the hash of what their cookie says. user_id is 0 while someone is at an OpenID provider.
CREATE TABLE logins (
    hash TEXT NOT NULL PRIMARY KEY,
    user_id BIGINT NOT NULL,
    data {{.Bytes}} NOT NULL,
    address TEXT NOT NULL,
    user_agent TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    seen_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL
);
--split
CREATE INDEX logins_by_user ON logins (user_id);
--split
CREATE INDEX logins_by_expiry ON logins (expires_at);
--split
-- What was changed, by whom, and from where. Rows are only ever added. site_id is 0 for what is of no site. before and after
-- are JSON, '' where there was, or is, nothing.
CREATE TABLE audit (
    id {{.Identity}},
    site_id BIGINT NOT NULL,
    at BIGINT NOT NULL,
    actor_kind TEXT NOT NULL,
    actor_id BIGINT NOT NULL,
    actor_name TEXT NOT NULL,
    address TEXT NOT NULL,
    action TEXT NOT NULL,
    object_kind TEXT NOT NULL,
    object_id BIGINT NOT NULL,
    object_name TEXT NOT NULL,
    before TEXT NOT NULL,
    after TEXT NOT NULL
);
--split
CREATE INDEX audit_by_site ON audit (site_id, id);
--split
CREATE INDEX audit_by_object ON audit (object_kind, object_id, id);
--split
CREATE INDEX audit_by_time ON audit (at);
--split
-- Certificates and account keys of the authority that issues them, as a server keeps them for all others.
CREATE TABLE certificates (
    name TEXT NOT NULL PRIMARY KEY,
    data {{.Bytes}} NOT NULL
);
--split
-- One row, whose epoch moves when a key, a user, a role or a login may do less than before, or something else.
CREATE TABLE access (
    one INTEGER NOT NULL PRIMARY KEY,
    epoch BIGINT NOT NULL
);
--split
INSERT INTO access (one, epoch) VALUES (1, 1);
