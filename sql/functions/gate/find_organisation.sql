create or replace function gate.find_organisation(p_organisation text)
returns uuid
language plpgsql
stable
parallel restricted
security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
    v_ids uuid[];
begin
    if pg_input_is_valid(p_organisation, 'uuid') then
        v_ids := array(
            select o.organisation_id
            from app.organisations as o
            where o.organisation_id = p_organisation::uuid
        );
    else
        v_ids := array(
            select o.organisation_id
            from app.organisations as o
            where lower(o.name) = lower(p_organisation)
            limit 2
        );
    end if;
    if cardinality(v_ids) = 0 then
        raise exception using
            errcode = 'SA404',
            message = format('no organisation %s', p_organisation),
            hint = 'Give its name or its id.';
    elsif cardinality(v_ids) > 1 then
        raise exception using
            errcode = 'SA409',
            message = format('more than one organisation is named %s', p_organisation),
            hint = 'Give its id: select * from gate.tenants().';
    end if;
    return v_ids[1];
end
$$;

comment on function gate.find_organisation(text) is
    'The organisation of an id or a name, without regard to case. For gate.impersonate alone. Raises SA404, SA409.';
