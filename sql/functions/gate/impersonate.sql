-- A definer, because it seals a context without a credential. What stands in for the credential is
-- the login of a database administrator: nobody but saas_dba may execute this, and the API's role
-- is no member of that. Who it was is in the audit, in the request id, and in the server's log,
-- which a rollback does not take back.
create or replace function gate.impersonate(p_email text, p_role text, p_organisation text)
returns void
language plpgsql
volatile
parallel unsafe
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_nobody constant uuid := '00000000-0000-0000-0000-000000000000';
    v_request_id text := 'dba:' || session_user;
    v_organisation_id uuid;
    v_user_id uuid;
    v_role text := p_role;
begin
    if p_organisation is not null then
        v_organisation_id := gate.find_organisation(p_organisation);
    end if;
    if p_email is not null then
        select p.user_id
        into v_user_id
        from auth.passwords as p
        where p.email_digest = gate.email_digest(p_email);
        if not found then
            raise exception using errcode = 'SA404', message = format('no user %s', p_email);
        end if;
        select m.role
        into v_role
        from app.memberships as m
        where m.organisation_id = v_organisation_id and m.user_id = v_user_id;
        if not found and p_organisation is not null then
            raise exception using
                errcode = 'SA404',
                message = format('%s is no member of %s', p_email, p_organisation),
                hint = 'Leave the organisation out to be a user who has entered none.';
        end if;
    elsif ctx.permissions() ? p_role is not true or v_organisation_id is null then
        raise exception using
            errcode = 'SA404',
            message = format('no role %s in %s', p_role, p_organisation),
            hint = 'One of owner, admin, member, viewer and api_key, in an organisation.';
    end if;

    raise log 'dba.impersonated: % as % (%) of %',
        session_user, coalesce(p_email, 'nobody'), v_role, v_organisation_id;
    perform audit.record_impersonation(v_organisation_id, v_user_id, v_role, v_request_id);
    perform gate.seal(
        k.inner_key,
        k.outer_key,
        case when v_role = 'api_key' then null else coalesce(v_user_id, v_nobody) end,
        case when v_role = 'api_key' then v_nobody end,
        v_organisation_id,
        v_role,
        v_request_id
    )
    from auth.seal_key as k;
end
$$;

comment on function gate.impersonate(text, text, text) is
    'Enters as the user with this email, or without one as p_role of no person (the nil UUID). Recorded as dba.impersonated. For dba.impersonate and dba.impersonate_role. Raises SA404, SA409.';

grant execute on function gate.impersonate(text, text, text) to saas_dba;
