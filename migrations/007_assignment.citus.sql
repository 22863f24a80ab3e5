SELECT create_distributed_table('kept_assignments', 'site_id', colocate_with => 'sites');
