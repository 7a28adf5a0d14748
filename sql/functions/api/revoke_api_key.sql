create or replace function api.revoke_api_key(
    p_credential bytea,
    p_request_id text,
    p_organisation_id uuid,
    p_api_key_id uuid
)
returns void
language plpgsql
volatile
parallel unsafe
security invoker
set search_path = pg_catalog, pg_temp
as $$
begin
    perform gate.enter(p_credential, p_request_id, p_organisation_id, 'api_keys.write');
    update app.api_keys as k
    set revoked_at = now()
    where
        k.organisation_id = p_organisation_id
        and k.api_key_id = p_api_key_id
        and k.revoked_at is null;
    if not found and not exists (
        select from app.api_keys as k
        where k.organisation_id = p_organisation_id and k.api_key_id = p_api_key_id
    ) then
        raise exception using errcode = 'SA404', message = 'API key not found';
    end if;
end
$$;

comment on function api.revoke_api_key(bytea, text, uuid, uuid) is
    'DELETE /orgs/{organisation_id}/api-keys/{api_key_id}: at once, and again without effect. Raises SA401, SA403, SA404.';

grant execute on function api.revoke_api_key(bytea, text, uuid, uuid) to saas_api;
