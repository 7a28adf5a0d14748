-- The API's role may ask, too: it is what a DBA is after dba.impersonate, and it learns only what
-- its own context says.
create or replace function dba.whoami()
returns table (
    database_role text,
    login_role text,
    sealed boolean,
    read_only boolean,
    user_id uuid,
    email text,
    api_key_id uuid,
    organisation_id uuid,
    organisation text,
    role text,
    permissions text[]
)
language plpgsql
stable
parallel restricted
security invoker
set search_path = pg_catalog, pg_temp
as $$
begin
    database_role := current_user;
    login_role := session_user;
    read_only := current_setting('transaction_read_only') = 'on';
    begin
        role := ctx.role();
        sealed := true;
    exception
        when sqlstate 'SA401' then
            sealed := false;
            return next;
            return;
        when insufficient_privilege then
            -- Who may not ask ctx knows at least whether there is a seal that could hold.
            sealed := case when coalesce(current_setting('app.seal', true), '') = '' then false end;
            return next;
            return;
    end;
    user_id := ctx.user_id();
    api_key_id := ctx.api_key_id();
    organisation_id := ctx.tenant_id();
    email := (select u.email from api.users as u where u.user_id = whoami.user_id);
    organisation := (
        select o.name from api.organisations as o
        where o.organisation_id = whoami.organisation_id
    );
    permissions := gate.own_permissions();
    return next;
end
$$;

comment on function dba.whoami() is
    'What the policies see: who is on in this transaction, and what the context says if its seal holds. Without one, sealed is false and the rest null; sealed is null where who asks may not know.';

grant execute on function dba.whoami() to saas_api, saas_dba;
