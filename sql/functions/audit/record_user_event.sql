-- A definer, because saas_audit alone inserts events.
create or replace function audit.record_user_event(
    p_action text,
    p_user_id uuid,
    p_request_id text
)
returns void
language plpgsql
volatile
parallel unsafe
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_anonymous boolean := p_action = 'user.login_failed';
begin
    insert into audit.events (
        organisation_id, action, actor_type, actor_user_id, target_type, target_id, request_id
    )
    values (
        '00000000-0000-0000-0000-000000000000',
        p_action,
        case when v_anonymous then 'anonymous' else 'user' end,
        case when not v_anonymous then p_user_id end,
        'user',
        p_user_id,
        p_request_id
    );
    perform audit.count_events(1);
end
$$;

comment on function audit.record_user_event(text, uuid, text) is
    'Records what the gate saw: user.registered, user.logged_in, user.login_failed. p_user_id null: an unknown email.';

grant execute on function audit.record_user_event(text, uuid, text) to saas_gate;
