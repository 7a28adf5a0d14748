create or replace function api.keep_response(
    p_organisation_id uuid,
    p_endpoint text,
    p_idempotency_key text,
    p_response json
)
returns void
language plpgsql
volatile
parallel unsafe
security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
    -- As it stands: the policy own_principal compares with the sealed one.
    v_principal_id uuid := coalesce(
        nullif(current_setting('app.user_id', true), ''),
        nullif(current_setting('app.api_key_id', true), '')
    );
    v_claim_id uuid := app.claim_id(p_endpoint, p_idempotency_key);
begin
    update app.idempotency_keys as k
    set response = p_response
    where
        k.organisation_id = p_organisation_id
        and k.principal_id = v_principal_id
        and k.claim_id = v_claim_id;
end
$$;

comment on function api.keep_response(uuid, text, text, json) is
    'Stores the answer to a request with an idempotency key, in the transaction of its work.';

grant execute on function api.keep_response(uuid, text, text, json) to saas_api;
