create or replace function gate.seal(
    p_user_id uuid,
    p_api_key_id uuid,
    p_tenant_id uuid,
    p_role text,
    p_request_id text
)
returns void
language plpgsql
volatile
parallel unsafe
security invoker
set search_path = pg_catalog, pg_temp
as $$
begin
    -- An older snapshot would still show credentials and memberships that have been revoked since.
    if current_setting('transaction_isolation') <> 'read committed' then
        raise exception using
            errcode = '25001',
            message = 'a context is entered under read committed only';
    end if;
    -- In this order, from left to right: were it another, the seal would not hold.
    perform
        set_config('app.user_id', coalesce(p_user_id::text, ''), true),
        set_config('app.api_key_id', coalesce(p_api_key_id::text, ''), true),
        set_config('app.tenant_id', coalesce(p_tenant_id::text, ''), true),
        set_config('app.role', coalesce(p_role, ''), true),
        set_config('app.request_id', coalesce(p_request_id, ''), true),
        set_config('app.seal', gate.current_seal(k.inner_key, k.outer_key), true)
    from auth.seal_key as k;
end
$$;

comment on function gate.seal(uuid, uuid, uuid, text, text) is
    'Sets the context of this transaction and seals it. For the functions of this schema alone. Raises 25001 unless the transaction is read committed.';
