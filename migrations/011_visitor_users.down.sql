ALTER TABLE experiments DROP COLUMN unit;
--split
DROP TABLE visitor_user_revisions;
--split
DROP TABLE visitor_users;
