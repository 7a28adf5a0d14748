set local role saas_gate;
alter default privileges grant execute on functions to public;

set local role saas_owner;
alter default privileges grant execute on functions to public;

drop schema gate;
drop schema ctx;
drop schema api;
drop schema auth;
drop schema app;
