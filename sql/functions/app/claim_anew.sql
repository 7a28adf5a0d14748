create or replace function app.claim_anew()
returns trigger
language plpgsql
volatile
parallel unsafe
security invoker
set search_path = pg_catalog, pg_temp
as $$
begin
    new.created_at := now();
    return new;
end
$$;

comment on function app.claim_anew() is
    'Trigger: a key that has expired and is claimed again starts its 24 hours anew.';
