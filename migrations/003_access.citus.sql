SELECT create_reference_table('access');
--split
SELECT create_reference_table('key_sites');
--split
SELECT create_reference_table('users');
--split
SELECT create_reference_table('user_roles');
--split
SELECT create_reference_table('password_links');
--split
SELECT create_reference_table('logins');
--split
SELECT create_reference_table('audit');
--split
SELECT create_reference_table('certificates');
