-- The plan is kept, and walks the index: see api.list_projects.
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
    p_until timestamptz,
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
    perform gate.enter(p_credential, p_request_id, p_organisation_id, 'audit.read');
    perform set_config('app.occurred_at_to', coalesce(p_after::text, ''), true);
    with c as materialized (
        select array(
            select e
            from api.audit_events as e
            where
                e.organisation_id = p_organisation_id
                and (p_action is null or e.action = p_action)
                and (p_actor_user_id is null or e.actor_user_id = p_actor_user_id)
                and (p_target_id is null or e.target_id = p_target_id)
                and e.occurred_at >= coalesce(p_since, '-infinity')
                and e.occurred_at < coalesce(p_until, 'infinity')
                and (
                    p_after_id is null
                    or (e.occurred_at, e.audit_event_id) < (p_after, p_after_id)
                )
            order by e.occurred_at desc, e.audit_event_id desc
            limit p_limit + 1 offset p_offset
        ) as page
    )

    select
        array_to_json(c.page[:p_limit]),
        case when cardinality(c.page) > p_limit
            then api.cursor(
                'audit-events',
                (c.page[p_limit]).occurred_at::text, (c.page[p_limit]).audit_event_id
            )
        end
    into v_items, v_next_cursor
    from c;
    perform set_config('app.occurred_at_to', '', true);
    return api.page(
        v_items,
        coalesce(
            api.known_total(v_items, p_offset, v_next_cursor is not null, p_after_id),
            (
                select count(*) from (
                    select from api.audit_events as e
                    where
                        e.organisation_id = p_organisation_id
                        and (p_action is null or e.action = p_action)
                        and (p_actor_user_id is null or e.actor_user_id = p_actor_user_id)
                        and (p_target_id is null or e.target_id = p_target_id)
                        and e.occurred_at >= coalesce(p_since, '-infinity')
                        and e.occurred_at < coalesce(p_until, 'infinity')
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

comment on function api.list_audit_events(
    bytea, text, uuid, integer, bigint,
    text, uuid, uuid, timestamptz, timestamptz, timestamptz, uuid
) is
    'GET /orgs/{organisation_id}/audit-events, newest first; filters unless null, p_since inclusive, p_until exclusive. After the row of p_after and p_after_id, unless null. Raises SA401, SA403, SA404.';

grant execute on function api.list_audit_events(
    bytea, text, uuid, integer, bigint,
    text, uuid, uuid, timestamptz, timestamptz, timestamptz, uuid
) to saas_api;
