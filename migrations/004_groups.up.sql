-- The segments that filters of a definition name themselves: object_kind is SEGMENT, GOAL or EXPERIMENT. A segment stays
-- while it is named. Who changes them moves the site's revision first, so that none becomes part of itself.
CREATE TABLE named_segments (
    site_id BIGINT NOT NULL,
    object_kind TEXT NOT NULL,
    object_id BIGINT NOT NULL,
    segment_id BIGINT NOT NULL,
    PRIMARY KEY (object_kind, object_id, segment_id)
);
--split
CREATE INDEX named_segments_by_segment ON named_segments (segment_id);
--split
CREATE INDEX named_segments_by_site ON named_segments (site_id);
