create or replace function api.list_members(
    p_credential bytea,
    p_request_id text,
    p_organisation_id uuid,
    p_limit integer,
    p_offset bigint,
    p_after timestamptz default null,
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
    v_items json;
    v_next_cursor text;
begin
    perform gate.enter(p_credential, p_request_id, p_organisation_id, 'members.read');
    with c as materialized (
        select array(
            select m
            from api.members as m
            where
                m.organisation_id = p_organisation_id
                and (
                    p_after_id is null
                    or (m.created_at, m.user_id) < (p_after, p_after_id)
                )
            order by m.created_at desc, m.user_id desc
            limit p_limit + 1 offset p_offset
        ) as page
    )

    select
        array_to_json(c.page[:p_limit]),
        case when cardinality(c.page) > p_limit
            then api.cursor(
                'members', (c.page[p_limit]).created_at::text, (c.page[p_limit]).user_id
            )
        end
    into v_items, v_next_cursor
    from c;
    return api.page(
        v_items,
        coalesce(
            api.known_total(v_items, p_offset, v_next_cursor is not null, p_after_id),
            (
                select count(*) from (
                    select from app.memberships as m
                    where
                        m.organisation_id = p_organisation_id
                    limit 10001
                ) as counted
            )
        ),
        p_limit,
        p_offset,
        v_next_cursor
    );
end
$$;

comment on function api.list_members(
    bytea, text, uuid, integer, bigint, timestamptz, uuid
) is
    'GET /orgs/{organisation_id}/members, newest first. After the row of p_after and p_after_id, unless null. Raises SA401, SA403, SA404.';

grant execute on function api.list_members(
    bytea, text, uuid, integer, bigint, timestamptz, uuid
) to saas_api;
