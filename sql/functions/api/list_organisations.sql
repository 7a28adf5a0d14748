create or replace function api.list_organisations(
    p_credential bytea,
    p_request_id text,
    p_limit integer,
    p_offset bigint,
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
    perform gate.enter_user(p_credential, p_request_id);
    with c as materialized (
        select array(
            select
                row(o.organisation_id, o.name, o.created_at, o.updated_at)::api.organisations
            from gate.own_organisations(p_limit + 1, p_offset, p_after_id) as o
            order by o.organisation_id desc
        ) as page
    )

    select
        array_to_json(c.page[:p_limit]),
        case when cardinality(c.page) > p_limit
            then api.cursor(
                'orgs', (c.page[p_limit]).created_at::text, (c.page[p_limit]).organisation_id
            )
        end
    into v_items, v_next_cursor
    from c;
    return api.page(
        v_items,
        coalesce(
            api.known_total(v_items, p_offset, v_next_cursor is not null, p_after_id),
            gate.count_own_organisations()
        ),
        p_limit,
        p_offset,
        v_next_cursor
    );
end
$$;

comment on function api.list_organisations(bytea, text, integer, bigint, uuid) is
    'GET /orgs: those the caller belongs to, newest first, as ids of version 7 are. After p_after_id, unless null. Raises SA401, SA403.';

grant execute on function api.list_organisations(bytea, text, integer, bigint, uuid) to saas_api;
