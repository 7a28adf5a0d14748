create or replace function api.list_organisations(
    p_credential bytea,
    p_request_id text,
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
    v_total bigint;
    v_next_cursor text;
begin
    perform gate.enter_user(p_credential, p_request_id);
    with own as materialized (
        select o.organisation_id, o.name, o.created_at, o.updated_at
        from gate.own_organisations() as o
    ),

    following as (
        select
            own as item, own.organisation_id, own.created_at,
            row_number() over newest_first as place, count(*) over () as number
        from own
        where
            p_after_id is null or (own.created_at, own.organisation_id) < (p_after, p_after_id)
        window newest_first as (order by own.created_at desc, own.organisation_id desc)
    ),

    page as (
        select * from following as f
        where f.place > p_offset
        order by f.place
        limit p_limit
    )

    select
        coalesce(json_agg(p.item order by p.place), '[]'),
        (select count(*) from own),
        max(api.cursor(p.created_at::text, p.organisation_id)) filter (
            where p.place - p_offset = p_limit and p.place < p.number
        )
    into v_items, v_total, v_next_cursor
    from page as p;
    return api.page(v_items, v_total, p_limit, p_offset, v_next_cursor);
end
$$;

comment on function api.list_organisations(
    bytea, text, integer, bigint, timestamptz, uuid
) is
    'GET /orgs: those the caller belongs to, newest first. After the row of p_after and p_after_id, unless null. Raises SA401, SA403.';

grant execute on function api.list_organisations(
    bytea, text, integer, bigint, timestamptz, uuid
) to saas_api;
