drop table audit.events;

set local role saas_audit;
alter default privileges grant execute on functions to public;

set local role saas_owner;
drop schema audit;
