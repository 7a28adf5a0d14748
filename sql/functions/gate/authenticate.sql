-- A definer, because it reads credentials.
create or replace function gate.authenticate(p_credential bytea)
returns void
language plpgsql
stable
parallel restricted
security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    if not exists (
        select
        from auth.credentials as c
        where
            c.digest = p_credential
            and (c.expires_at is null or c.expires_at > clock_timestamp())
    ) then
        raise exception using errcode = 'SA401', message = 'credential not live';
    end if;
end
$$;

comment on function gate.authenticate(bytea) is
    'Raises SA401 unless the credential is live. Sets no context.';

grant execute on function gate.authenticate(bytea) to saas_api;
