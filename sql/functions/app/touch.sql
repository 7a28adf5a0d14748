create or replace function app.touch()
returns trigger
language plpgsql
volatile
parallel unsafe
security invoker
set search_path = pg_catalog, pg_temp
as $$
begin
    if new is distinct from old then
        new.updated_at := now();
    end if;
    return new;
end
$$;

comment on function app.touch() is 'Trigger: updated_at is when a value last changed.';
