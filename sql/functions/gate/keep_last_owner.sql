-- No definer: a superuser who removes an owner has no context, and passes the policies. Of the
-- others nobody may change an owner who may not write the organisation and read its owners, too.
create or replace function gate.keep_last_owner()
returns trigger
language plpgsql
volatile
parallel unsafe
security invoker
set search_path = pg_catalog, pg_temp
as $$
begin
    -- A write, not only a lock: under repeatable read, too, the second of two owners who remove
    -- each other waits here and then fails instead of counting on a snapshot that is out of date.
    update app.organisations as o
    set name = o.name
    where o.organisation_id = old.organisation_id;

    if not found and tg_op = 'DELETE' then
        return old; -- the organisation goes, and its members with it
    end if;

    if not exists (
        select from app.memberships as m
        where
            m.organisation_id = old.organisation_id
            and m.role = 'owner'
            and m.user_id <> old.user_id
    ) then
        raise exception using
            errcode = 'SA409',
            message = 'an organisation keeps at least one owner',
            schema = 'app',
            table = 'memberships',
            constraint = 'memberships_last_owner';
    end if;
    return case tg_op when 'DELETE' then old else new end;
end
$$;

comment on function gate.keep_last_owner() is
    'Trigger: refuses to remove or downgrade the last owner, also in a race, unless the organisation goes. Raises SA409, memberships_last_owner.';

-- To create the trigger takes EXECUTE; to fire it takes nothing.
grant execute on function gate.keep_last_owner() to saas_owner;
