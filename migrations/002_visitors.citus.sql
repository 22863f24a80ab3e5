SELECT create_distributed_table('links', 'site_id', colocate_with => 'sites');
