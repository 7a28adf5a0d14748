create or replace function api.refuse_member(p_organisation_id uuid, p_user_id uuid)
returns void
language plpgsql
stable
parallel restricted
security invoker
set search_path = pg_catalog, pg_temp
as $$
begin
    if not ctx.permits('members.write') or exists (
        select from app.memberships as m
        where m.organisation_id = p_organisation_id and m.user_id = p_user_id
    ) then
        raise exception using errcode = 'SA403', message = 'role too low for this member';
    end if;
    raise exception using errcode = 'SA404', message = 'member not found';
end
$$;

comment on function api.refuse_member(uuid, uuid) is
    'Why the policies left no such member to change: SA403 where there is one or the role is too low, else SA404.';

grant execute on function api.refuse_member(uuid, uuid) to saas_api;
