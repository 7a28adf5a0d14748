create or replace function dba.who(p_email text, p_tenants jsonb)
returns text
language plpgsql
stable
parallel restricted
security invoker
set search_path = pg_catalog, pg_temp
as $$
begin
    return p_email || case
        when ctx.tenant_id() is null then ' has entered no organisation'
        else format(
            ' is %s %s of %s',
            case when ctx.role() ~ '^[ao]' then 'an' else 'a' end,
            ctx.role(),
            p_tenants ->> ctx.tenant_id()::text
        )
    end;
end
$$;

comment on function dba.who(text, jsonb) is
    'The first half of a verdict: who asks, as what, and where. p_tenants: {organisation_id: name}.';

grant execute on function dba.who(text, jsonb) to saas_api, saas_dba;
