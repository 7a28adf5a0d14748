create or replace function gate.refuse_snapshot()
returns text
language plpgsql
volatile
parallel unsafe
security invoker
set search_path = pg_catalog, pg_temp
as $$
begin
    raise exception using
        errcode = '25001',
        message = 'a context is entered under read committed only';
end
$$;

comment on function gate.refuse_snapshot() is 'Raises 25001. For gate.seal, an expression, which cannot.';
