DROP INDEX messages_by_day;
--split
DROP TABLE site_values;
--split
DROP TABLE site_dimensions;
--split
DROP TABLE assignments;
--split
ALTER TABLE sites DROP COLUMN addresses;
--split
DROP TABLE api_keys;
