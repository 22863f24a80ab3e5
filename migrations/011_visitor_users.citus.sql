SELECT create_distributed_table('visitor_users', 'site_id', colocate_with => 'sites');
--split
SELECT create_distributed_table('visitor_user_revisions', 'site_id', colocate_with => 'sites');
