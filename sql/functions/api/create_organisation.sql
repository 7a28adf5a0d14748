create or replace function api.create_organisation(
    p_credential bytea,
    p_request_id text,
    p_name text,
    p_idempotency_key text,
    p_request jsonb
)
returns table (body json, replayed boolean)
language plpgsql
volatile
parallel unsafe
security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
    v_nil constant uuid := '00000000-0000-0000-0000-000000000000';
    v_endpoint constant text := 'POST /orgs';
    v_organisation_id uuid;
begin
    perform gate.enter_user(p_credential, p_request_id);
    if p_idempotency_key is not null then
        body := api.claim_idempotency_key(v_nil, v_endpoint, p_idempotency_key, p_request);
    end if;
    replayed := body is not null;
    if not replayed then
        v_organisation_id := gate.create_organisation(p_name);
        select row_to_json(o)
        into body
        from api.organisations as o
        where o.organisation_id = v_organisation_id;
        if p_idempotency_key is not null then
            -- Out of the new organisation again: the key was claimed in none.
            perform gate.enter_user(p_credential, p_request_id);
            perform api.keep_response(v_nil, v_endpoint, p_idempotency_key, body);
        end if;
    end if;
    return next;
end
$$;

comment on function api.create_organisation(bytea, text, text, text, jsonb) is
    'POST /orgs: the caller becomes its owner. p_idempotency_key may be null; p_request is the body as sent. Raises SA401, SA403, SA409 idempotency_keys_pkey.';

grant execute on function api.create_organisation(bytea, text, text, text, jsonb) to saas_api;
