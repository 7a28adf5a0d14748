create or replace function api.add_member(
    p_credential bytea,
    p_request_id text,
    p_organisation_id uuid,
    p_email text,
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
declare
    v_user_id uuid := p_user_id;
begin
    perform gate.enter(p_credential, p_request_id, p_organisation_id, 'members.write');
    if p_role = 'owner' and not ctx.permits('owners.write') then
        raise exception using errcode = 'SA403', message = 'only an owner grants ownership';
    end if;
    if p_email is not null then
        v_user_id := gate.find_user(p_email);
    end if;
    if v_user_id is null then
        raise exception using errcode = 'SA404', message = 'user not found';
    end if;
    insert into app.memberships (organisation_id, user_id, role)
    values (p_organisation_id, v_user_id, p_role);
    return (
        select row_to_json(m) from api.members as m
        where m.organisation_id = p_organisation_id and m.user_id = v_user_id
    );
exception
    when unique_violation then
        raise exception using
            errcode = 'SA409', message = 'already a member', constraint = 'memberships_pkey';
    when foreign_key_violation then
        raise exception using errcode = 'SA404', message = 'user not found';
end
$$;

comment on function api.add_member(bytea, text, uuid, text, uuid, text) is
    'POST /orgs/{organisation_id}/members, by email or by user id (the other is null). Raises SA401, SA403, SA404, SA409 memberships_pkey.';

grant execute on function api.add_member(bytea, text, uuid, text, uuid, text) to saas_api;
