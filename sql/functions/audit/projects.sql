-- A definer, because saas_audit alone inserts events.
create or replace function audit.projects()
returns trigger
language plpgsql
volatile
parallel unsafe
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_actor record := audit.actor();
    -- One uuidv7() a statement, its last 32 bits counted up by row: a bulk change is the one place
    -- where drawing random numbers would be a good part of the cost.
    v_id_start text := substr(encode(uuid_send(uuidv7()), 'hex'), 1, 24);
    v_events bigint;
begin
    if tg_op = 'INSERT' then
        insert into audit.events (
            audit_event_id, organisation_id, action, target_type, target_id, changes,
            actor_type, actor_user_id, actor_api_key_id, actor_database_role, request_id
        )
        select
            (v_id_start || lpad(to_hex(row_number() over ()), 8, '0'))::uuid,
            n.organisation_id, 'project.created', 'project', n.project_id,
            jsonb_build_object(
                'name', jsonb_build_object('old', null, 'new', n.name),
                'status', jsonb_build_object('old', null, 'new', n.status)
            )
            || case
                when n.description is null then '{}'
                else jsonb_build_object(
                    'description', jsonb_build_object('old', null, 'new', n.description)
                )
            end,
            v_actor.actor_type, v_actor.user_id, v_actor.api_key_id, v_actor.database_role,
            v_actor.request_id
        from new_rows as n;
    elsif tg_op = 'UPDATE' then
        insert into audit.events (
            audit_event_id, organisation_id, action, target_type, target_id, changes,
            actor_type, actor_user_id, actor_api_key_id, actor_database_role, request_id
        )
        select
            (v_id_start || lpad(to_hex(row_number() over ()), 8, '0'))::uuid,
            n.organisation_id,
            case
                when o.deleted_at is null and n.deleted_at is not null then 'project.deleted'
                else 'project.updated'
            end,
            'project',
            n.project_id,
            case
                when n.name = o.name then '{}'
                else jsonb_build_object(
                    'name', jsonb_build_object('old', o.name, 'new', n.name)
                )
            end
            || case
                when n.description is not distinct from o.description then '{}'
                else jsonb_build_object(
                    'description', jsonb_build_object('old', o.description, 'new', n.description)
                )
            end
            || case
                when n.status = o.status then '{}'
                else jsonb_build_object(
                    'status', jsonb_build_object('old', o.status, 'new', n.status)
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
            on o.organisation_id = n.organisation_id and o.project_id = n.project_id
        where
            (n.name, n.description, n.status, n.deleted_at)
            is distinct from (o.name, o.description, o.status, o.deleted_at);
    else
        insert into audit.events (
            audit_event_id, organisation_id, action, target_type, target_id, changes,
            actor_type, actor_user_id, actor_api_key_id, actor_database_role, request_id
        )
        select
            (v_id_start || lpad(to_hex(row_number() over ()), 8, '0'))::uuid,
            o.organisation_id, 'project.deleted', 'project', o.project_id, '{}',
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

comment on function audit.projects() is
    'Trigger: project.created, project.updated, project.deleted.';

-- To create the trigger takes EXECUTE; to fire it takes nothing.
grant execute on function audit.projects() to saas_owner;
