-- A copy of the product whose context is trusted: plain settings, as they stand. The credential, the
-- membership and the role are still asked for. Run by a superuser in the copy.
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
    perform
        set_config('app.user_id', coalesce(p_user_id::text, ''), true),
        set_config('app.api_key_id', coalesce(p_api_key_id::text, ''), true),
        set_config('app.tenant_id', coalesce(p_tenant_id::text, ''), true),
        set_config('app.role', coalesce(p_role, ''), true),
        set_config('app.request_id', coalesce(p_request_id, ''), true);
end
$$;

create or replace function gate.context(p_setting text)
returns text
language sql
stable
parallel restricted
security invoker
return nullif(current_setting(p_setting, true), '');
