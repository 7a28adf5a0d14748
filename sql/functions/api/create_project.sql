create or replace function api.create_project(
    p_credential bytea,
    p_request_id text,
    p_organisation_id uuid,
    p_name text,
    p_description text,
    p_status text,
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
    v_endpoint constant text := 'POST /orgs/{organisation_id}/projects';
begin
    perform gate.enter(p_credential, p_request_id, p_organisation_id, 'projects.write');
    if p_idempotency_key is not null then
        body := api.claim_idempotency_key(
            p_organisation_id, v_endpoint, p_idempotency_key, p_request
        );
    end if;
    replayed := body is not null;
    if not replayed then
        insert into api.projects as p (organisation_id, name, description, status)
        values (p_organisation_id, p_name, p_description, p_status)
        returning row_to_json(p) into body;
        if p_idempotency_key is not null then
            perform api.keep_response(p_organisation_id, v_endpoint, p_idempotency_key, body);
        end if;
    end if;
    return next;
end
$$;

comment on function api.create_project(bytea, text, uuid, text, text, text, text, jsonb) is
    'POST /orgs/{organisation_id}/projects. p_idempotency_key may be null; p_request is the body as sent. Raises SA401, SA403, SA404, SA409 idempotency_keys_pkey.';

grant execute on function api.create_project(
    bytea, text, uuid, text, text, text, text, jsonb
) to saas_api;
