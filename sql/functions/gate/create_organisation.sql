-- A definer, because nobody has a role in an organisation that is not there yet. It leaves the
-- context of the new owner behind, so that the rest of the transaction is an ordinary one.
create or replace function gate.create_organisation(p_name text)
returns uuid
language plpgsql
volatile
parallel unsafe
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_user_id uuid := ctx.user_id();
    v_request_id text := ctx.request_id();
    v_organisation_id uuid := uuidv7();
begin
    if v_user_id is null then
        raise exception using errcode = 'SA403', message = 'not for API keys';
    end if;
    perform gate.seal(k.inner_key, k.outer_key, v_user_id, null, v_organisation_id, 'owner', v_request_id)
    from auth.seal_key as k;

    insert into app.organisations (organisation_id, name) values (v_organisation_id, p_name);
    insert into app.memberships (organisation_id, user_id, role)
    values (v_organisation_id, v_user_id, 'owner');
    return v_organisation_id;
end
$$;

comment on function gate.create_organisation(text) is
    'Founds an organisation with the user of this context as its owner, and enters it.';

grant execute on function gate.create_organisation(text) to saas_api;
