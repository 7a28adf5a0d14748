-- Six orders, six branches: each reads its own index, and the one-time filter on the parameters
-- lets just one of them run, under one plan that stays.
create or replace function api.list_projects(
    p_credential bytea,
    p_request_id text,
    p_organisation_id uuid,
    p_limit integer,
    p_offset bigint,
    p_status text,
    p_name text,
    p_sort_by text,
    p_sort_direction text
)
returns json
language plpgsql
volatile
parallel unsafe
security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
    v_order text := p_sort_by || ' ' || p_sort_direction;
begin
    perform gate.enter(p_credential, p_request_id, p_organisation_id, 'projects.read');
    return (
        with matching as not materialized (
            select p.*
            from api.projects as p
            where
                p.organisation_id = p_organisation_id
                and (p_status is null or p.status = p_status)
                and (p_name is null or api.contains_folded(p.name, p_name))
        ),

        page as (
            (
                select m.* from matching as m where v_order = 'created_at desc'
                order by m.created_at desc, m.project_id desc limit p_limit offset p_offset
            )
            union all
            (
                select m.* from matching as m where v_order = 'created_at asc'
                order by m.created_at asc, m.project_id asc limit p_limit offset p_offset
            )
            union all
            (
                select m.* from matching as m where v_order = 'updated_at desc'
                order by m.updated_at desc, m.project_id desc limit p_limit offset p_offset
            )
            union all
            (
                select m.* from matching as m where v_order = 'updated_at asc'
                order by m.updated_at asc, m.project_id asc limit p_limit offset p_offset
            )
            union all
            (
                select m.* from matching as m where v_order = 'name desc'
                order by m.name collate "C" desc, m.project_id desc limit p_limit offset p_offset
            )
            union all
            (
                select m.* from matching as m where v_order = 'name asc'
                order by m.name collate "C" asc, m.project_id asc limit p_limit offset p_offset
            )
        )

        select
            json_build_object(
                'items', (select coalesce(json_agg(page), '[]') from page),
                'total', (select count(*) from matching),
                'limit', p_limit,
                'offset', p_offset
            )
    );
end
$$;

comment on function api.list_projects(bytea, text, uuid, integer, bigint, text, text, text, text) is
    'GET /orgs/{organisation_id}/projects: p_status and p_name filter unless null; p_sort_by created_at, updated_at or name; p_sort_direction asc or desc. Raises SA401, SA403, SA404.';

grant execute on function api.list_projects(
    bytea, text, uuid, integer, bigint, text, text, text, text
) to saas_api;
