-- A definer, because it reads passwords and the key of the seal.
create or replace function gate.login_challenge(p_email text, p_parameters text)
returns table (salt bytea, parameters text, retry_after integer)
language plpgsql
stable
parallel restricted
security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    select p.salt, p.parameters
    into salt, parameters
    from auth.passwords as p
    where p.email_digest = gate.email_digest(p_email);

    if not found then
        -- Stable and secret, so that an unknown email looks like any other.
        select
            substr(
                sha256(k.outer_key || sha256(k.inner_key || 'salt|' || gate.email_digest(p_email))),
                1, 16
            ),
            p_parameters
        into salt, parameters
        from auth.seal_key as k;
    end if;

    retry_after := gate.login_retry_after(p_email);
    return next;
end
$$;

comment on function gate.login_challenge(text, text) is
    'Salt and cost to hash a password with; made up, with p_parameters, for an unknown email. retry_after: seconds, null unless throttled.';

grant execute on function gate.login_challenge(text, text) to saas_api;
