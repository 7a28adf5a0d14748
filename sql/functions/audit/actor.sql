create or replace function audit.actor(
    out actor_type text,
    out user_id uuid,
    out api_key_id uuid,
    out database_role text,
    out request_id text
)
returns record
language plpgsql
stable
parallel restricted
security invoker
set search_path = pg_catalog, pg_temp
as $$
begin
    -- The API's own role never acts for itself: RETURNING could take the seal off between the
    -- change and its trigger.
    if coalesce(current_setting('app.seal', true), '') = '' and session_user <> 'saas_api' then
        actor_type := 'database_role';
        database_role := session_user;
    else
        -- As they stand: the wall of audit.events asks whether the seal holds, once an event is to
        -- be written, and nothing of the caller's runs in between.
        user_id := nullif(current_setting('app.user_id', true), '');
        api_key_id := nullif(current_setting('app.api_key_id', true), '');
        request_id := nullif(current_setting('app.request_id', true), '');
        actor_type := case when api_key_id is null then 'user' else 'api_key' end;
        -- Somebody in psql, after dba.impersonate: what they change is theirs, and not the user's.
        if request_id like 'dba:%' and session_user <> 'saas_api' then
            actor_type := 'database_role';
            database_role := session_user;
            request_id := gate.sealed('app.request_id'); -- asked here: of these the wall does not
        end if;
    end if;
end
$$;

comment on function audit.actor() is
    'Who acts: the user or API key of the context as it stands, whose seal the wall of audit.events checks; without one, or in one of gate.impersonate, the database role that logged in.';
