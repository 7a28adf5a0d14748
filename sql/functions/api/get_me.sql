create or replace function api.get_me(
    p_credential bytea,
    p_request_id text
)
returns json
language plpgsql
volatile
parallel unsafe
security invoker
set search_path = pg_catalog, pg_temp
as $$
begin
    perform gate.enter_user(p_credential, p_request_id);
    return (
        select row_to_json(me)
        from (
            select
                u.*,
                array(
                    select m
                    from (
                        select o.organisation_id, o.name, o.role
                        from gate.own_organisations() as o
                    ) as m
                    order by m.name, m.organisation_id
                ) as memberships
            from api.users as u
            where u.user_id = (select ctx.user_id())
        ) as me
    );
end
$$;

comment on function api.get_me(bytea, text) is
    'GET /me. Raises SA401, SA403.';

grant execute on function api.get_me(bytea, text) to saas_api;
