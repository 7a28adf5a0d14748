create or replace function api.list_api_keys(
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
    perform gate.enter(p_credential, p_request_id, p_organisation_id, 'api_keys.read');
    return (
        with page as (
            select k.*
            from api.api_keys as k
            where k.organisation_id = p_organisation_id
            order by k.created_at desc, k.api_key_id desc
            limit p_limit offset p_offset
        )

        select
            json_build_object(
                'items', (select coalesce(json_agg(page), '[]') from page),
                'total', (
                    select count(*) from app.api_keys as k
                    where k.organisation_id = p_organisation_id
                ),
                'limit', p_limit,
                'offset', p_offset
            )
    );
end
$$;

comment on function api.list_api_keys(bytea, text, uuid, integer, bigint) is
    'GET /orgs/{organisation_id}/api-keys, newest first, revoked ones too. Raises SA401, SA403, SA404.';

grant execute on function api.list_api_keys(bytea, text, uuid, integer, bigint) to saas_api;
