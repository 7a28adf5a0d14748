-- A definer, because it reads credentials and memberships before there is a context, and seals one.
-- The order of refusal is the contract's: credential, organisation, role.
create or replace function gate.enter(
    p_credential bytea,
    p_request_id text,
    p_organisation_id uuid,
    p_permission text
)
returns void
language plpgsql
volatile
parallel unsafe
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_user_id uuid;
    v_api_key_id uuid;
    v_role text;
begin
    select
        c.user_id,
        c.api_key_id,
        case when c.organisation_id = p_organisation_id then 'api_key' else m.role end
    into v_user_id, v_api_key_id, v_role
    from auth.credentials as c
    left join app.memberships as m
        on m.organisation_id = p_organisation_id and m.user_id = c.user_id
    where
        c.digest = p_credential
        and (c.expires_at is null or c.expires_at > clock_timestamp());

    if not found then
        raise exception using errcode = 'SA401', message = 'credential not live';
    end if;
    if v_role is null then
        raise exception using errcode = 'SA404', message = 'organisation not found';
    end if;
    if (ctx.permissions() -> v_role ? p_permission) is not true then
        raise exception using errcode = 'SA403', message = 'role too low';
    end if;

    perform gate.seal(
        k.inner_key, k.outer_key, v_user_id, v_api_key_id, p_organisation_id, v_role, p_request_id
    )
    from auth.seal_key as k;
    if v_api_key_id is not null then
        perform gate.note_api_key_use(p_organisation_id, v_api_key_id);
    end if;
end
$$;

comment on function gate.enter(bytea, text, uuid, text) is
    'Enters an organisation: seals the context of a live credential that has the permission there. Raises SA401, SA404, SA403.';

grant execute on function gate.enter(bytea, text, uuid, text) to saas_api;
