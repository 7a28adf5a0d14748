create or replace function api.list_organisations(
    p_credential bytea,
    p_request_id text,
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
    perform gate.enter_user(p_credential, p_request_id);
    return (
        with own as materialized (
            select o.organisation_id, o.name, o.created_at, o.updated_at
            from gate.own_organisations() as o
        ),

        page as (
            select own.*
            from own
            order by own.created_at desc, own.organisation_id desc
            limit p_limit offset p_offset
        )

        select
            json_build_object(
                'items', (select coalesce(json_agg(page), '[]') from page),
                'total', (select count(*) from own),
                'limit', p_limit,
                'offset', p_offset
            )
    );
end
$$;

comment on function api.list_organisations(bytea, text, integer, bigint) is
    'GET /orgs: those the caller belongs to, newest first. Raises SA401, SA403.';

grant execute on function api.list_organisations(bytea, text, integer, bigint) to saas_api;
