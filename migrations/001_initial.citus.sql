-- On a database with the extension Citus: all rows of a site live on one node, and definitions on all of them.

SET LOCAL citus.multi_shard_modify_mode TO 'sequential';
--split
SELECT create_distributed_table('sites', 'id');
--split
SELECT create_reference_table('site_domains');
--split
SELECT create_reference_table('goals');
--split
SELECT create_reference_table('segments');
--split
SELECT create_reference_table('experiments');
--split
SELECT create_reference_table('experiment_metrics');
--split
SELECT create_reference_table('api_keys');
--split
SELECT create_reference_table('instance');
--split
SELECT create_distributed_table('partitions', 'site_id', colocate_with => 'sites');
--split
SELECT create_distributed_table('columns', 'site_id', colocate_with => 'sites');
--split
SELECT create_distributed_table('visitors', 'site_id', colocate_with => 'sites');
--split
SELECT create_distributed_table('visitor_links', 'site_id', colocate_with => 'sites');
--split
SELECT create_distributed_table('messages', 'site_id', colocate_with => 'sites');
--split
SELECT create_distributed_table('sessions', 'site_id', colocate_with => 'sites');
--split
SELECT create_distributed_table('hits', 'site_id', colocate_with => 'sites');
--split
SELECT create_distributed_table('events', 'site_id', colocate_with => 'sites');
--split
SELECT create_distributed_table('site_dimensions', 'site_id', colocate_with => 'sites');
--split
SELECT create_distributed_table('site_values', 'site_id', colocate_with => 'sites');
--split
SELECT create_distributed_table('assignments', 'site_id', colocate_with => 'sites');
--split
SELECT create_distributed_table('experiment_columns', 'site_id', colocate_with => 'sites');
--split
SELECT create_distributed_table('computations', 'site_id', colocate_with => 'sites');
--split
SELECT create_distributed_table('computed', 'site_id', colocate_with => 'sites');
--split
SELECT create_distributed_table('leases', 'site_id', colocate_with => 'sites');
