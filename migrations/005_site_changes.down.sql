ALTER TABLE sites DROP COLUMN updated_at;
