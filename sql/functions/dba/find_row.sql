-- No role of the product sees every tenant's rows, so who is no superuser looks through the eyes of
-- who is asked about, and then of an owner of each organisation, until one sees it. In one block
-- that ends with an error of our own, which takes role, settings and events back. The eyes that saw
-- the row leave their event once more: who hands out a tenant's row says so to that tenant.
create or replace function dba.find_row(
    p_table regclass,
    p_id text,
    p_email text,
    p_role text,
    p_organisation text
)
returns text
language plpgsql
volatile
parallel unsafe
security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
    v_condition text := dba.key_condition(p_table, p_id);
    v_organisation_id text := case when p_id like '{%' then p_id::jsonb ->> 'organisation_id' end;
    v_row text;
    v_email text := p_email;
    v_role text := p_role;
    v_organisation text := case when p_email is null then p_organisation end;
begin
    if (select r.rolsuper or r.rolbypassrls from pg_roles as r where r.rolname = current_user) then
        execute format('select (t.*)::text from %s as t where %s limit 1', p_table, v_condition)
        into v_row;
        return v_row;
    end if;
    begin
        v_row := dba.look(p_table, v_condition, v_email, v_role, v_organisation);
        if v_row is null then
            for v_email, v_role, v_organisation in
                select e.email, e.role, t.organisation_id::text
                from gate.tenants(p_email) with ordinality as t (organisation_id, name, role, place)
                cross join lateral (
                    values (1, p_email, null), (2, null, 'owner')
                ) as e (turn, email, role)
                where
                    coalesce(t.organisation_id::text = lower(v_organisation_id), true)
                    and (t.role is not null or e.role is not null)
                order by
                    (lower(p_organisation) in (t.organisation_id::text, lower(t.name))) is not true,
                    t.place, e.turn
            loop
                v_row := dba.look(p_table, v_condition, v_email, v_role, v_organisation);
                exit when v_row is not null;
            end loop;
        end if;
        raise exception using errcode = 'ZZ000';
    exception
        when sqlstate 'ZZ000' or insufficient_privilege then
            null;
    end;
    if v_row is not null then
        perform gate.impersonate(v_email, v_role, v_organisation);
        perform dba.leave();
    end if;
    return v_row;
end
$$;

comment on function dba.find_row(regclass, text, text, text, text) is
    'A row as text, whoever it belongs to; null if nobody sees it. A superuser finds it at once, others ask one organisation after the other: p_organisation first, and none but that of p_id where it says one. Who saw it is recorded as dba.impersonated.';

grant execute on function dba.find_row(regclass, text, text, text, text) to saas_dba;
