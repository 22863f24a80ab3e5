-- The value of an event becomes a number of micro-units: 49.99 is 49990000. What older versions took beyond the range of
-- values becomes the last one on its side. The sums in sessions.events stay as they are written: reading rounds them to
-- the six digits that values have.
ALTER TABLE hits ADD COLUMN micros BIGINT;
--split
UPDATE hits SET micros = CASE WHEN value >= 9e12 THEN 8999999999999999999 WHEN value <= -9e12 THEN -8999999999999999999 ELSE {{.Micros}} END
WHERE value IS NOT NULL;
--split
ALTER TABLE hits DROP COLUMN value;
--split
ALTER TABLE hits RENAME COLUMN micros TO value;
--split
-- What is stored of experiments and computations has its format in its seal, and would be taken for damaged.
DELETE FROM experiment_columns;
--split
DELETE FROM computed;
