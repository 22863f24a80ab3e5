SELECT create_distributed_table('erasures', 'site_id', colocate_with => 'sites');
