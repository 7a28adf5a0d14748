create or replace function gate.store_api_key(p_api_key_id uuid, p_digest bytea)
returns void
language plpgsql
volatile
parallel unsafe
security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    insert into auth.credentials (digest, organisation_id, api_key_id)
    values (p_digest, ctx.tenant_id(), p_api_key_id);
end
$$;

comment on function gate.store_api_key(uuid, bytea) is
    'Makes an API key of the organisation entered live: p_digest is the SHA-256 of the key. Who may: the policy insert_gate_api_key of auth.credentials.';

grant execute on function gate.store_api_key(uuid, bytea) to saas_api;
