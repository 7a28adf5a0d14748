-- A definer, because it writes an account with its password, and seals a context.
create or replace function gate.register(
    p_email text,
    p_display_name text,
    p_salt bytea,
    p_parameters text,
    p_output bytea,
    p_request_id text
)
returns uuid
language plpgsql
volatile
parallel unsafe
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_user_id uuid := uuidv7();
begin
    perform gate.seal(k.inner_key, k.outer_key, v_user_id, null, null, null, p_request_id)
    from auth.seal_key as k;
    insert into app.users (user_id, email, display_name)
    values (v_user_id, p_email, p_display_name);
    insert into auth.passwords (user_id, email_digest, salt, parameters, digest)
    values (v_user_id, gate.email_digest(p_email), p_salt, p_parameters, sha256(p_output));
    -- Made now, so that nobody's first login waits for another's.
    insert into auth.login_slots (email_digest, slot)
    select gate.email_digest(p_email), s.slot from generate_series(1, 10) as s (slot)
    on conflict do nothing;
    perform audit.record_user_event('user.registered', v_user_id, p_request_id);
    return v_user_id;
end
$$;

comment on function gate.register(text, text, bytea, text, bytea, text) is
    'Opens an account and enters as its user. p_output is the raw output of Argon2id over p_salt with p_parameters.';

grant execute on function gate.register(text, text, bytea, text, bytea, text) to saas_api;
