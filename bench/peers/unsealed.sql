-- A copy of the product whose context is trusted: plain settings, as they stand. The credential, the
-- membership and the role are still asked for. Run by a superuser in the copy.
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
return set_config('app.user_id', coalesce(p_user_id::text, ''), true)
|| set_config('app.api_key_id', coalesce(p_api_key_id::text, ''), true)
|| set_config('app.tenant_id', coalesce(p_tenant_id::text, ''), true)
|| set_config('app.role', coalesce(p_role, ''), true)
|| set_config('app.request_id', coalesce(p_request_id, ''), true);

create or replace function gate.sealed(p_setting text, p_permission text default null)
returns text
language plpgsql
stable
parallel restricted
security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    return case
        when
            p_permission is null
            or ctx.permissions() -> current_setting('app.role') ? p_permission
            then nullif(current_setting(p_setting, true), '')
    end;
end
$$;
