-- A definer, because nobody else reads across tenants: a DBA may become each of them anyway.
create or replace function gate.tenants(p_email text default null)
returns table (organisation_id uuid, name text, role text)
language plpgsql
stable
parallel restricted
security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    return query
    select o.organisation_id, o.name, m.role
    from app.organisations as o
    left join auth.passwords as p on p.email_digest = gate.email_digest(p_email)
    left join app.memberships as m
        on m.organisation_id = o.organisation_id and m.user_id = p.user_id
    order by m.role is null, o.name, o.organisation_id;
end
$$;

comment on function gate.tenants(text) is
    'Every organisation, those of the user with this email first, with the role there. For saas_dba.';

grant execute on function gate.tenants(text) to saas_dba;
