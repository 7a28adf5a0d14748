-- Six orders, six statements, each with a plan that is kept (PLANNER in api/database.py): the walk
-- of the order's own index, be it a tenant of ten rows or of ten million.
create or replace function api.list_projects(
    p_credential bytea,
    p_request_id text,
    p_organisation_id uuid,
    p_limit integer,
    p_offset bigint,
    p_status text,
    p_name text,
    p_sort_by text,
    p_sort_direction text,
    p_after text default null,
    p_after_id uuid default null
)
returns json
language plpgsql
volatile
parallel unsafe
security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
    v_order constant text := p_sort_by || ' ' || p_sort_direction;
    v_bound constant text :=
        'app.' || p_sort_by || case p_sort_direction when 'asc' then '_from' else '_to' end;
    v_time timestamptz := case when p_sort_by <> 'name' then p_after::timestamptz end;
    v_items json;
    v_total bigint;
    v_has_next boolean;
    v_key text;
    v_id uuid;
begin
    perform gate.enter(p_credential, p_request_id, p_organisation_id, 'projects.read');
    -- Where the page begins (ADR 0019).
    perform set_config(v_bound, coalesce(p_after, ''), true);
    case v_order
        when 'created_at desc' then
            with c as materialized (
                select array(
                    select p
                    from api.listed_projects as p
                    where
                        p.organisation_id = p_organisation_id
                        and (p_status is null or p.status = p_status)
                        and (p_name is null or api.contains_folded(p.name, p_name))
                        and (
                            p_after_id is null
                            or (p.created_at, p.project_id) < (v_time, p_after_id)
                        )
                    order by p.created_at desc, p.project_id desc
                    limit p_limit + 1 offset p_offset
                ) as page
            )

            select
                array_to_json(c.page[:p_limit]), cardinality(c.page) > p_limit,
                (c.page[p_limit]).created_at::text, (c.page[p_limit]).project_id
            into v_items, v_has_next, v_key, v_id
            from c;
        when 'created_at asc' then
            with c as materialized (
                select array(
                    select p
                    from api.listed_projects as p
                    where
                        p.organisation_id = p_organisation_id
                        and (p_status is null or p.status = p_status)
                        and (p_name is null or api.contains_folded(p.name, p_name))
                        and (
                            p_after_id is null
                            or (p.created_at, p.project_id) > (v_time, p_after_id)
                        )
                    order by p.created_at asc, p.project_id asc
                    limit p_limit + 1 offset p_offset
                ) as page
            )

            select
                array_to_json(c.page[:p_limit]), cardinality(c.page) > p_limit,
                (c.page[p_limit]).created_at::text, (c.page[p_limit]).project_id
            into v_items, v_has_next, v_key, v_id
            from c;
        when 'updated_at desc' then
            with c as materialized (
                select array(
                    select p
                    from api.listed_projects as p
                    where
                        p.organisation_id = p_organisation_id
                        and (p_status is null or p.status = p_status)
                        and (p_name is null or api.contains_folded(p.name, p_name))
                        and (
                            p_after_id is null
                            or (p.updated_at, p.project_id) < (v_time, p_after_id)
                        )
                    order by p.updated_at desc, p.project_id desc
                    limit p_limit + 1 offset p_offset
                ) as page
            )

            select
                array_to_json(c.page[:p_limit]), cardinality(c.page) > p_limit,
                (c.page[p_limit]).updated_at::text, (c.page[p_limit]).project_id
            into v_items, v_has_next, v_key, v_id
            from c;
        when 'updated_at asc' then
            with c as materialized (
                select array(
                    select p
                    from api.listed_projects as p
                    where
                        p.organisation_id = p_organisation_id
                        and (p_status is null or p.status = p_status)
                        and (p_name is null or api.contains_folded(p.name, p_name))
                        and (
                            p_after_id is null
                            or (p.updated_at, p.project_id) > (v_time, p_after_id)
                        )
                    order by p.updated_at asc, p.project_id asc
                    limit p_limit + 1 offset p_offset
                ) as page
            )

            select
                array_to_json(c.page[:p_limit]), cardinality(c.page) > p_limit,
                (c.page[p_limit]).updated_at::text, (c.page[p_limit]).project_id
            into v_items, v_has_next, v_key, v_id
            from c;
        when 'name desc' then
            with c as materialized (
                select array(
                    select p
                    from api.listed_projects as p
                    where
                        p.organisation_id = p_organisation_id
                        and (p_status is null or p.status = p_status)
                        and (p_name is null or api.contains_folded(p.name, p_name))
                        and (
                            p_after_id is null
                            or (p.name collate "C", p.project_id) < (p_after, p_after_id)
                        )
                    order by p.name collate "C" desc, p.project_id desc
                    limit p_limit + 1 offset p_offset
                ) as page
            )

            select
                array_to_json(c.page[:p_limit]), cardinality(c.page) > p_limit,
                (c.page[p_limit]).name::text, (c.page[p_limit]).project_id
            into v_items, v_has_next, v_key, v_id
            from c;
        when 'name asc' then
            with c as materialized (
                select array(
                    select p
                    from api.listed_projects as p
                    where
                        p.organisation_id = p_organisation_id
                        and (p_status is null or p.status = p_status)
                        and (p_name is null or api.contains_folded(p.name, p_name))
                        and (
                            p_after_id is null
                            or (p.name collate "C", p.project_id) > (p_after, p_after_id)
                        )
                    order by p.name collate "C" asc, p.project_id asc
                    limit p_limit + 1 offset p_offset
                ) as page
            )

            select
                array_to_json(c.page[:p_limit]), cardinality(c.page) > p_limit,
                (c.page[p_limit]).name::text, (c.page[p_limit]).project_id
            into v_items, v_has_next, v_key, v_id
            from c;
    end case;
    perform set_config(v_bound, '', true);
    v_total := api.known_total(v_items, p_offset, v_has_next, p_after_id);
    if v_total is null and p_status is null and p_name is null then
        select count(*) into v_total from (
            select from api.projects as p
            where p.organisation_id = p_organisation_id
            order by p.created_at desc, p.project_id desc
            limit 10001
        ) as counted;
    elsif v_total is null then
        select count(*) into v_total from (
            select from api.projects as p
            where
                p.organisation_id = p_organisation_id
                and (p_status is null or p.status = p_status)
                and (p_name is null or api.contains_folded(p.name, p_name))
            order by p.created_at desc, p.project_id desc
            limit 10001
        ) as counted;
    end if;
    return api.page(
        v_items,
        v_total,
        p_limit,
        p_offset,
        case when v_has_next then api.cursor('projects by ' || v_order, v_key, v_id) end
    );
end
$$;

comment on function api.list_projects(
    bytea, text, uuid, integer, bigint, text, text, text, text, text, uuid
) is
    'GET /orgs/{organisation_id}/projects: p_status and p_name filter unless null; p_sort_by created_at, updated_at or name; p_sort_direction asc or desc; after the row that has p_after in this order, and p_after_id, unless null. Raises SA401, SA403, SA404.';

grant execute on function api.list_projects(
    bytea, text, uuid, integer, bigint, text, text, text, text, text, uuid
) to saas_api;
