-- An expression, which the planner puts into the query that reads the key, where it costs no call.
-- Its arguments must not ask for the context: they are evaluated while it is being set.
create or replace function gate.seal(
    p_inner_key bytea,
    p_outer_key bytea,
    p_user_id uuid,
    p_api_key_id uuid,
    p_tenant_id uuid,
    p_role text,
    p_request_id text
)
returns text
language sql
volatile
parallel unsafe
security invoker
return case
    -- An older snapshot would still show credentials and memberships that have been revoked since.
    when current_setting('transaction_isolation') <> 'read committed' then gate.refuse_snapshot()
    else
        set_config(
            'app.seal',
            gate.current_seal(
                p_inner_key,
                p_outer_key,
                set_config('app.user_id', coalesce(p_user_id::text, ''), true),
                set_config('app.api_key_id', coalesce(p_api_key_id::text, ''), true),
                set_config('app.tenant_id', coalesce(p_tenant_id::text, ''), true),
                set_config('app.role', coalesce(p_role, ''), true),
                set_config('app.request_id', coalesce(p_request_id, ''), true)
            ),
            true
        )
end;

comment on function gate.seal(bytea, bytea, uuid, uuid, uuid, text, text) is
    'Sets the context of this transaction and seals it. For the functions of this schema alone. Raises 25001 unless the transaction is read committed.';
