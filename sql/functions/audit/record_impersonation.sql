-- A definer, because saas_audit alone inserts events.
create or replace function audit.record_impersonation(
    p_organisation_id uuid,
    p_user_id uuid,
    p_role text,
    p_request_id text
)
returns void
language plpgsql
volatile
parallel unsafe
security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    insert into audit.events (
        organisation_id, action, actor_type, actor_database_role, target_type, target_id, request_id,
        changes
    )
    values (
        coalesce(p_organisation_id, '00000000-0000-0000-0000-000000000000'),
        'dba.impersonated',
        'database_role',
        session_user,
        case when p_user_id is null then 'organisation' else 'user' end,
        coalesce(p_user_id, p_organisation_id),
        p_request_id,
        jsonb_build_object('role', jsonb_build_object('old', null, 'new', p_role))
    );
    perform audit.count_events(1);
end
$$;

comment on function audit.record_impersonation(uuid, uuid, text, text) is
    'Records dba.impersonated: who logged in to the database looks through the eyes of a user, or (p_user_id null) of a role, of the organisation.';

grant execute on function audit.record_impersonation(uuid, uuid, text, text) to saas_gate;
