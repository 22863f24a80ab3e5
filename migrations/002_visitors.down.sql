ALTER TABLE hits ADD COLUMN number DOUBLE PRECISION;
--split
UPDATE hits SET number = value / 1e6 WHERE value IS NOT NULL;
--split
ALTER TABLE hits DROP COLUMN value;
--split
ALTER TABLE hits RENAME COLUMN number TO value;
--split
DELETE FROM experiment_columns;
--split
DELETE FROM computed;
