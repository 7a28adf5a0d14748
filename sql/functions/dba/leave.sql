create or replace function dba.leave()
returns void
language sql
volatile
parallel unsafe
security invoker
set search_path = pg_catalog, pg_temp
as $$
    select set_config(s.name, '', true)
    from unnest(array[
        'app.user_id', 'app.api_key_id', 'app.tenant_id', 'app.role', 'app.request_id', 'app.seal'
    ]) as s (name);
$$;

comment on function dba.leave() is 'Ends the context of this transaction.';

grant execute on function dba.leave() to saas_dba;
