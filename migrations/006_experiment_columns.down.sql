DROP TABLE experiment_columns;
