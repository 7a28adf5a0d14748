create or replace function api.remove_member(
    p_credential bytea,
    p_request_id text,
    p_organisation_id uuid,
    p_user_id uuid
)
returns void
language plpgsql
volatile
parallel unsafe
security invoker
set search_path = pg_catalog, pg_temp
as $$
begin
    perform gate.enter(p_credential, p_request_id, p_organisation_id, 'organisation.read');
    if not gate.remove_member(p_user_id) then
        perform api.refuse_member(p_organisation_id, p_user_id);
    end if;
end
$$;

comment on function api.remove_member(bytea, text, uuid, uuid) is
    'DELETE /orgs/{organisation_id}/members/{user_id}; members may remove themselves. Raises SA401, SA403, SA404, SA409 memberships_last_owner.';

grant execute on function api.remove_member(bytea, text, uuid, uuid) to saas_api;
