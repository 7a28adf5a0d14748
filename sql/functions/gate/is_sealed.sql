create or replace function gate.is_sealed(p_inner_key bytea, p_outer_key bytea)
returns boolean
language sql
stable
parallel restricted
security invoker
return current_setting('app.seal', true) = gate.current_seal(
    p_inner_key,
    p_outer_key,
    current_setting('app.user_id', true),
    current_setting('app.api_key_id', true),
    current_setting('app.tenant_id', true),
    current_setting('app.role', true),
    current_setting('app.request_id', true)
);

comment on function gate.is_sealed(bytea, bytea) is
    'Whether the seal holds for the app.* settings as they stand. For gate.sealed.';
