DROP TABLE access;
--split
DROP TABLE certificates;
--split
DROP TABLE audit;
--split
DROP TABLE logins;
--split
DROP TABLE password_links;
--split
DROP TABLE user_roles;
--split
DROP TABLE users;
--split
ALTER TABLE api_keys ADD COLUMN site_id BIGINT;
--split
-- A key of several sites has one before; one of none is of none.
UPDATE api_keys SET site_id = (SELECT MIN(key_sites.site_id) FROM key_sites WHERE key_sites.key_id = api_keys.id);
--split
DELETE FROM api_keys WHERE site_id IS NULL AND NOT all_sites;
--split
CREATE INDEX api_keys_by_site ON api_keys (site_id);
--split
DROP TABLE key_sites;
--split
ALTER TABLE api_keys DROP COLUMN origins;
--split
ALTER TABLE api_keys DROP COLUMN last_used_at;
--split
ALTER TABLE api_keys DROP COLUMN created_by;
--split
ALTER TABLE api_keys DROP COLUMN expires_at;
--split
ALTER TABLE api_keys DROP COLUMN all_sites;
