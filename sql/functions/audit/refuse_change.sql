create or replace function audit.refuse_change()
returns trigger
language plpgsql
volatile
parallel unsafe
security invoker
set search_path = pg_catalog, pg_temp
as $$
begin
    raise exception using errcode = 'SA403', message = 'audit events are append-only';
end
$$;

comment on function audit.refuse_change() is
    'Trigger: refuses UPDATE, DELETE and TRUNCATE, even to a superuser. Raises SA403.';

grant execute on function audit.refuse_change() to saas_owner;
