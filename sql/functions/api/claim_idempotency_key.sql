-- Of simultaneous requests with one key the first inserts; the others wait on its row until its
-- transaction ends, and then find its answer, or nothing, if it was refused.
create or replace function api.claim_idempotency_key(
    p_organisation_id uuid,
    p_endpoint text,
    p_idempotency_key text,
    p_request jsonb
)
returns json
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
    v_request jsonb;
    v_response json;
begin
    insert into app.idempotency_keys
        (organisation_id, principal_id, endpoint, idempotency_key, request)
    values (p_organisation_id, v_principal_id, p_endpoint, p_idempotency_key, p_request)
    on conflict do nothing;
    if not found then
        update app.idempotency_keys as k
        set request = p_request, response = null
        where
            k.organisation_id = p_organisation_id
            and k.principal_id = v_principal_id
            and k.claim_id = v_claim_id
            and k.created_at < now() - interval '24 hours';
    end if;
    if found then
        return null;
    end if;

    select k.request, k.response
    into v_request, v_response
    from app.idempotency_keys as k
    where
        k.organisation_id = p_organisation_id
        and k.principal_id = v_principal_id
        and k.claim_id = v_claim_id;
    if v_request <> p_request then
        raise exception using
            errcode = 'SA409',
            message = 'idempotency key used with another body',
            constraint = 'idempotency_keys_pkey';
    end if;
    return v_response;
end
$$;

comment on function api.claim_idempotency_key(uuid, text, text, jsonb) is
    'Claims a key for this transaction (null), or gives the answer its first request got. Raises SA409 idempotency_keys_pkey for another body.';

grant execute on function api.claim_idempotency_key(uuid, text, text, jsonb) to saas_api;
