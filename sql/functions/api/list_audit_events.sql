create or replace function api.list_audit_events(
    p_credential bytea,
    p_request_id text,
    p_organisation_id uuid,
    p_limit integer,
    p_offset bigint,
    p_action text,
    p_actor_user_id uuid,
    p_target_id uuid,
    p_since timestamptz,
    p_until timestamptz
)
returns json
language plpgsql
volatile
parallel unsafe
security invoker
set search_path = pg_catalog, pg_temp
as $$
begin
    perform gate.enter(p_credential, p_request_id, p_organisation_id, 'audit.read');
    return (
        with matching as not materialized (
            select e.*
            from api.audit_events as e
            where
                e.organisation_id = p_organisation_id
                and (p_action is null or e.action = p_action)
                and (p_actor_user_id is null or e.actor_user_id = p_actor_user_id)
                and (p_target_id is null or e.target_id = p_target_id)
                and e.occurred_at >= coalesce(p_since, '-infinity')
                and e.occurred_at < coalesce(p_until, 'infinity')
        ),

        page as (
            select m.*
            from matching as m
            order by m.occurred_at desc, m.audit_event_id desc
            limit p_limit offset p_offset
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

comment on function api.list_audit_events(
    bytea, text, uuid, integer, bigint, text, uuid, uuid, timestamptz, timestamptz
) is
    'GET /orgs/{organisation_id}/audit-events, newest first; filters unless null, p_since inclusive, p_until exclusive. Raises SA401, SA403, SA404.';

grant execute on function api.list_audit_events(
    bytea, text, uuid, integer, bigint, text, uuid, uuid, timestamptz, timestamptz
) to saas_api;
