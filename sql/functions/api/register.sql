create or replace function api.register(
    p_email text,
    p_display_name text,
    p_salt bytea,
    p_parameters text,
    p_output bytea,
    p_request_id text
)
returns json
language plpgsql
volatile
parallel unsafe
security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
    v_user_id uuid;
begin
    v_user_id := gate.register(
        p_email, p_display_name, p_salt, p_parameters, p_output, p_request_id
    );
    return (select row_to_json(u) from api.users as u where u.user_id = v_user_id);
exception
    when unique_violation then
        raise exception using
            errcode = 'SA409', message = 'email taken', constraint = 'users_email_key';
end
$$;

comment on function api.register(text, text, bytea, text, bytea, text) is
    'POST /auth/register. p_output is the raw output of Argon2id over p_salt with p_parameters. Raises SA409 users_email_key.';

grant execute on function api.register(text, text, bytea, text, bytea, text) to saas_api;
