-- A definer, because it reads the key of the seal.
create or replace function gate.context(p_setting text)
returns text
language plpgsql
stable
parallel restricted
security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    if (
        select current_setting('app.seal', true) = gate.current_seal(k.inner_key, k.outer_key)
        from auth.seal_key as k
    ) then
        return nullif(current_setting(p_setting, true), '');
    end if;
    raise exception using
        errcode = 'SA401',
        message = 'no sealed context in this transaction',
        hint = 'Call a function of schema api with a live credential.';
end
$$;

comment on function gate.context(text) is
    'One app.* setting, if the seal holds; null where it is empty. Raises SA401 otherwise.';

grant execute on function gate.context(text) to saas_api, saas_audit;
