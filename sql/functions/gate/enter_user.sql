-- A definer, because it reads credentials, and seals a context.
create or replace function gate.enter_user(p_credential bytea, p_request_id text)
returns void
language plpgsql
volatile
parallel unsafe
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_user_id uuid;
begin
    select c.user_id
    into v_user_id
    from auth.credentials as c
    where
        c.digest = p_credential
        and (c.expires_at is null or c.expires_at > clock_timestamp());

    if not found then
        raise exception using errcode = 'SA401', message = 'credential not live';
    end if;
    if v_user_id is null then
        raise exception using errcode = 'SA403', message = 'not for API keys';
    end if;

    perform gate.seal(k.inner_key, k.outer_key, v_user_id, null, null, null, p_request_id)
    from auth.seal_key as k;
end
$$;

comment on function gate.enter_user(bytea, text) is
    'Enters as a user in no organisation: no tenant row is visible. Raises SA401, and SA403 for an API key.';

grant execute on function gate.enter_user(bytea, text) to saas_api;
