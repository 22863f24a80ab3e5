DROP TABLE named_segments;
