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
DROP TABLE partitions;
--split
DROP TABLE segments;
--split
DROP TABLE goals;
--split
DROP TABLE site_domains;
--split
DROP TABLE sites;
