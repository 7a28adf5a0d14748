create or replace function api.list_members(
    p_credential bytea,
    p_request_id text,
    p_organisation_id uuid,
    p_limit integer,
    p_offset bigint
)
returns json
language plpgsql
volatile
parallel unsafe
security invoker
set search_path = pg_catalog, pg_temp
as $$
begin
    perform gate.enter(p_credential, p_request_id, p_organisation_id, 'members.read');
    return (
        with page as (
            select m.*
            from api.members as m
            where m.organisation_id = p_organisation_id
            order by m.created_at desc, m.user_id desc
            limit p_limit offset p_offset
        )

        select
            json_build_object(
                'items', (select coalesce(json_agg(page), '[]') from page),
                'total', (
                    select count(*) from app.memberships as m
                    where m.organisation_id = p_organisation_id
                ),
                'limit', p_limit,
                'offset', p_offset
            )
    );
end
$$;

comment on function api.list_members(bytea, text, uuid, integer, bigint) is
    'GET /orgs/{organisation_id}/members, newest first. Raises SA401, SA403, SA404.';

grant execute on function api.list_members(bytea, text, uuid, integer, bigint) to saas_api;
