-- A definer, because it is the one question that crosses tenants: it has the caller's own
-- memberships as its whole answer.
create or replace function gate.own_organisations(
    p_limit bigint default null,
    p_offset bigint default 0,
    p_after_id uuid default null
)
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
    -- Memberships are walked in the order of their index, and joined once the page is cut.
    return query
    select o.organisation_id, o.name, o.created_at, o.updated_at, m.role
    from (
        select own.organisation_id, own.role
        from app.memberships as own
        where
            own.user_id = v_user_id
            and (p_after_id is null or own.organisation_id < p_after_id)
        order by own.organisation_id desc
        limit p_limit offset p_offset
    ) as m
    join app.organisations as o on o.organisation_id = m.organisation_id
    order by m.organisation_id desc;
end
$$;

comment on function gate.own_organisations(bigint, bigint, uuid) is
    'The organisations of the user of this context, newest id first, with the user''s role in each; p_limit null: all.';

grant execute on function gate.own_organisations(bigint, bigint, uuid) to saas_api;
