DROP TABLE leases;
--split
DROP TABLE computed;
--split
DROP TABLE computations;
--split
DROP TABLE experiment_columns;
--split
DROP TABLE assignments;
--split
DROP TABLE site_values;
--split
DROP TABLE site_dimensions;
--split
DROP TABLE events;
--split
DROP TABLE hits;
--split
DROP TABLE sessions;
--split
DROP TABLE messages;
--split
DROP TABLE visitor_links;
--split
DROP TABLE visitors;
--split
DROP TABLE columns;
--split
DROP TABLE partitions;
--split
DROP TABLE instance;
--split
DROP TABLE api_keys;
--split
DROP TABLE experiment_metrics;
--split
DROP TABLE experiments;
--split
DROP TABLE segments;
--split
DROP TABLE goals;
--split
DROP TABLE site_domains;
--split
DROP TABLE sites;
