-- A definer, because it writes a credential.
create or replace function gate.store_api_key(p_api_key_id uuid, p_digest bytea)
returns void
language plpgsql
volatile
parallel unsafe
security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    -- Only a key that this very transaction has made, so that none gets a second secret, none that
    -- is revoked a new one, and none works that no list shows.
    if not exists (
        select
        from app.api_keys as k
        where
            k.organisation_id = ctx.tenant_id()
            and k.api_key_id = p_api_key_id
            and k.created_at = now()
            and k.revoked_at is null
    ) then
        raise exception using errcode = 'SA403', message = 'not a new API key of this organisation';
    end if;
    insert into app.api_key_uses (organisation_id, api_key_id)
    values (ctx.tenant_id(), p_api_key_id);
    insert into auth.credentials (digest, organisation_id, api_key_id)
    values (p_digest, ctx.tenant_id(), p_api_key_id);
end
$$;

comment on function gate.store_api_key(uuid, bytea) is
    'Makes an API key live that this transaction has made in the organisation entered; p_digest is the SHA-256 of the key. Who may: the policy insert_gate_api_key of auth.credentials. Raises SA403 for any other key.';

grant execute on function gate.store_api_key(uuid, bytea) to saas_api;
