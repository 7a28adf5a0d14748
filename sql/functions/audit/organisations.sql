-- A definer, because saas_audit alone inserts events.
create or replace function audit.organisations()
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
            n.organisation_id, 'organisation.created', 'organisation', n.organisation_id,
            jsonb_build_object('name', jsonb_build_object('old', null, 'new', n.name)),
            v_actor.actor_type, v_actor.user_id, v_actor.api_key_id, v_actor.database_role,
            v_actor.request_id
        from new_rows as n;
    else
        insert into audit.events (
            organisation_id, action, target_type, target_id, changes,
            actor_type, actor_user_id, actor_api_key_id, actor_database_role, request_id
        )
        select
            n.organisation_id, 'organisation.updated', 'organisation', n.organisation_id,
            jsonb_build_object('name', jsonb_build_object('old', o.name, 'new', n.name)),
            v_actor.actor_type, v_actor.user_id, v_actor.api_key_id, v_actor.database_role,
            v_actor.request_id
        from new_rows as n
        join old_rows as o on o.organisation_id = n.organisation_id
        where n.name <> o.name;
    end if;
    get diagnostics v_events = row_count;
    perform audit.count_events(v_events);
    return null;
end
$$;

comment on function audit.organisations() is
    'Trigger: organisation.created, organisation.updated.';

-- To create the trigger takes EXECUTE; to fire it takes nothing.
grant execute on function audit.organisations() to saas_owner;
