-- A definer, because saas_audit alone inserts events.
create or replace function audit.gizmos()
returns trigger
language plpgsql
volatile
parallel unsafe
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_actor record := audit.actor();
    v_events bigint;
begin
    if tg_op = 'INSERT' then
        insert into audit.events (
            organisation_id, action, target_type, target_id, changes,
            actor_type, actor_user_id, actor_api_key_id, actor_database_role, request_id
        )
        select
            n.organisation_id,
            'gizmo.created',
            'gizmo',
            n.gizmo_id,
            jsonb_build_object('name', jsonb_build_object('old', null, 'new', n.name)),
            v_actor.actor_type, v_actor.user_id, v_actor.api_key_id, v_actor.database_role,
            v_actor.request_id
        from new_rows as n;
    elsif tg_op = 'UPDATE' then
        insert into audit.events (
            organisation_id, action, target_type, target_id, changes,
            actor_type, actor_user_id, actor_api_key_id, actor_database_role, request_id
        )
        select
            n.organisation_id,
            case
                when o.deleted_at is null and n.deleted_at is not null
                    then 'gizmo.deleted'
                else 'gizmo.updated'
            end,
            'gizmo',
            n.gizmo_id,
            case
                when n.name = o.name then '{}'
                else jsonb_build_object(
                    'name', jsonb_build_object('old', o.name, 'new', n.name)
                )
            end
            || case
                when o.deleted_at is null or n.deleted_at is not distinct from o.deleted_at
                    then '{}'
                else jsonb_build_object(
                    'deleted_at', jsonb_build_object('old', o.deleted_at, 'new', n.deleted_at)
                )
            end,
            v_actor.actor_type, v_actor.user_id, v_actor.api_key_id, v_actor.database_role,
            v_actor.request_id
        from new_rows as n
        join old_rows as o
            on o.organisation_id = n.organisation_id
            and o.gizmo_id = n.gizmo_id
        where (n.name, n.deleted_at) is distinct from (o.name, o.deleted_at);
    else
        insert into audit.events (
            organisation_id, action, target_type, target_id, changes,
            actor_type, actor_user_id, actor_api_key_id, actor_database_role, request_id
        )
        select
            o.organisation_id,
            'gizmo.deleted',
            'gizmo',
            o.gizmo_id,
            '{}',
            v_actor.actor_type, v_actor.user_id, v_actor.api_key_id, v_actor.database_role,
            v_actor.request_id
        from old_rows as o
        where o.deleted_at is null;
    end if;
    get diagnostics v_events = row_count;
    perform audit.count_events(v_events);
    return null;
end
$$;

comment on function audit.gizmos() is
    'Trigger: gizmo.created, gizmo.updated, gizmo.deleted.';

-- To create the trigger takes EXECUTE; to fire it takes nothing.
grant execute on function audit.gizmos() to saas_owner;
