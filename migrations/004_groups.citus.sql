SELECT create_reference_table('named_segments');
