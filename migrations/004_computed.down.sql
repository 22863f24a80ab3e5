DROP TABLE computed;
--split
DROP TABLE computations;
