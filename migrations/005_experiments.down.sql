DROP TABLE experiment_metrics;
--split
DROP TABLE experiments;
