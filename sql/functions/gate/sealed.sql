-- A definer, because it reads the key of the seal, and what each role may do.
create or replace function gate.sealed(p_setting text, p_permission text default null)
returns text
language plpgsql
stable
parallel restricted
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_value text;
begin
    -- One query, so that nothing of the caller's runs between the check and what it is for.
    select case
        when
            p_permission is null
            or ctx.permissions() -> current_setting('app.role') ? p_permission
            then nullif(current_setting(p_setting, true), '')
    end
    into v_value
    from auth.seal_key as k
    where gate.is_sealed(k.inner_key, k.outer_key);

    if not found then
        raise exception using
            errcode = 'SA401',
            message = 'no sealed context in this transaction',
            hint = 'Call a function of schema api with a live credential.';
    end if;
    return v_value;
end
$$;

comment on function gate.sealed(text, text) is
    'One app.* setting, if the seal holds; null where it is empty, or where a permission is asked for (not null) that the sealed role has not. Raises SA401 without a sealed context.';

-- saas_owner: maintenance reaches past walls that ask, without being asked itself.
grant execute on function gate.sealed(text, text) to saas_api, saas_audit, saas_owner;
