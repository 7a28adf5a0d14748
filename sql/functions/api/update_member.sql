create or replace function api.update_member(
    p_credential bytea,
    p_request_id text,
    p_organisation_id uuid,
    p_user_id uuid,
    p_role text
)
returns json
language plpgsql
volatile
parallel unsafe
security invoker
set search_path = pg_catalog, pg_temp
as $$
begin
    perform gate.enter(p_credential, p_request_id, p_organisation_id, 'members.write');
    if p_role = 'owner' and not ctx.permits('owners.write') then
        raise exception using errcode = 'SA403', message = 'only an owner grants ownership';
    end if;
    update app.memberships as m
    set role = p_role
    where m.organisation_id = p_organisation_id and m.user_id = p_user_id;
    if not found then
        perform api.refuse_member(p_organisation_id, p_user_id);
    end if;
    return (
        select row_to_json(m) from api.members as m
        where m.organisation_id = p_organisation_id and m.user_id = p_user_id
    );
end
$$;

comment on function api.update_member(bytea, text, uuid, uuid, text) is
    'PATCH /orgs/{organisation_id}/members/{user_id}. Raises SA401, SA403, SA404, SA409 memberships_last_owner.';

grant execute on function api.update_member(bytea, text, uuid, uuid, text) to saas_api;
