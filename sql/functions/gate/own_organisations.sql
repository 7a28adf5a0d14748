-- The one question that crosses tenants: it has the caller's own memberships as its whole answer.
create or replace function gate.own_organisations()
returns table (
    organisation_id uuid,
    name text,
    created_at timestamptz,
    updated_at timestamptz,
    role text
)
language plpgsql
stable
parallel restricted
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_user_id uuid := ctx.user_id();
begin
    return query
    select o.organisation_id, o.name, o.created_at, o.updated_at, m.role
    from app.memberships as m
    join app.organisations as o on o.organisation_id = m.organisation_id
    where m.user_id = v_user_id;
end
$$;

comment on function gate.own_organisations() is
    'The organisations of the user of this context, with the user''s role in each.';

grant execute on function gate.own_organisations() to saas_api;
