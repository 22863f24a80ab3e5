-- When a user last changed: nobody knows it of those before.
ALTER TABLE users ADD COLUMN updated_at BIGINT NOT NULL DEFAULT 0;
--split
UPDATE users SET updated_at = created_at;
