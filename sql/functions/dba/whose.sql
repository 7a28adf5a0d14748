create or replace function dba.whose(p_table regclass, p_row text, p_tenants jsonb)
returns text
language plpgsql
stable
parallel restricted
security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
    v_organisation_id text;
begin
    if p_row is null or not exists (
        select from pg_attribute as a
        where a.attrelid = p_table and a.attname = 'organisation_id' and not a.attisdropped
    ) then
        return null;
    end if;
    v_organisation_id := dba.evaluate('organisation_id', p_table, p_row);
    if v_organisation_id = ctx.tenant_id()::text then
        return null;
    end if;
    return coalesce(p_tenants ->> v_organisation_id, 'no organisation');
end
$$;

comment on function dba.whose(regclass, text, jsonb) is
    'The organisation of a row, if it is another one than the one entered; else null. p_tenants: {organisation_id: name}.';

grant execute on function dba.whose(regclass, text, jsonb) to saas_api, saas_dba;
