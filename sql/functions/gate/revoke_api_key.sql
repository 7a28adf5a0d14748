-- A definer, because it deletes a credential.
create or replace function gate.revoke_api_key()
returns trigger
language plpgsql
volatile
parallel unsafe
security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    delete from auth.credentials as c
    where c.organisation_id = old.organisation_id and c.api_key_id = old.api_key_id;
    return null;
end
$$;

comment on function gate.revoke_api_key() is 'Trigger: the credential of an API key that is revoked, or deleted by hand, goes with it.';

grant execute on function gate.revoke_api_key() to saas_owner;
