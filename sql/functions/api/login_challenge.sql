create or replace function api.login_challenge(p_email text, p_parameters text)
returns table (salt bytea, parameters text, retry_after integer)
language sql
stable
parallel restricted
security invoker
set search_path = pg_catalog, pg_temp
as $$
    select c.salt, c.parameters, c.retry_after
    from gate.login_challenge(p_email, p_parameters) as c;
$$;

comment on function api.login_challenge(text, text) is
    'POST /auth/login, before hashing: salt and cost for this email, known or not; retry_after in seconds where throttled.';

grant execute on function api.login_challenge(text, text) to saas_api;
