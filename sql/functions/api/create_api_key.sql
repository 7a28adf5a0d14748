create or replace function api.create_api_key(
    p_credential bytea,
    p_request_id text,
    p_organisation_id uuid,
    p_name text,
    p_prefix text,
    p_digest bytea,
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
    v_endpoint constant text := 'POST /orgs/{organisation_id}/api-keys';
    v_api_key_id uuid;
begin
    perform gate.enter(p_credential, p_request_id, p_organisation_id, 'api_keys.write');
    if p_idempotency_key is not null then
        body := api.claim_idempotency_key(
            p_organisation_id, v_endpoint, p_idempotency_key, p_request
        );
    end if;
    replayed := body is not null;
    if not replayed then
        insert into app.api_keys as k (organisation_id, name, prefix, created_by_user_id)
        values (p_organisation_id, p_name, p_prefix, ctx.user_id())
        returning k.api_key_id into v_api_key_id;
        perform gate.store_api_key(v_api_key_id, p_digest);
        select row_to_json(k)
        into body
        from api.api_keys as k
        where k.organisation_id = p_organisation_id and k.api_key_id = v_api_key_id;
        if p_idempotency_key is not null then
            perform api.keep_response(p_organisation_id, v_endpoint, p_idempotency_key, body);
        end if;
    end if;
    return next;
end
$$;

comment on function api.create_api_key(bytea, text, uuid, text, text, bytea, text, jsonb) is
    'POST /orgs/{organisation_id}/api-keys. p_digest is the SHA-256 of the key, which the database never sees. Raises SA401, SA403, SA404, SA409 idempotency_keys_pkey.';

grant execute on function api.create_api_key(
    bytea, text, uuid, text, text, bytea, text, jsonb
) to saas_api;
