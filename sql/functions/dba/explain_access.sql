-- Nothing of the context stays: it is entered in a block that ends with an error of our own, which
-- takes role and settings back. The event of the look is written before, and stays.
create or replace function dba.explain_access(
    p_table regclass,
    p_id text,
    p_email text,
    p_organisation text default null,
    p_verb text default null
)
returns table (
    verb text,
    step text,
    name text,
    kind text,
    expression text,
    result boolean,
    compared text
)
language plpgsql
volatile
parallel unsafe
security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
    v_verbs text[] := case
        when p_verb is null then array['select', 'insert', 'update', 'delete'] else array[p_verb]
    end;
    v_email text := case when p_email like '%@%' then p_email end;
    v_role text := case when v_email is null then p_email end;
    v_tenants jsonb := (
        select jsonb_object_agg(t.organisation_id, t.name) from gate.tenants(v_email) as t
    );
    v_organisation text := coalesce(
        p_organisation,
        (
            select t.organisation_id::text from gate.tenants(v_email) as t
            where t.role is not null limit 1
        )
    );
    v_row text;
    v_steps jsonb;
begin
    if not v_verbs <@ array['select', 'insert', 'update', 'delete'] then
        raise exception using
            errcode = '22023', message = 'p_verb is select, insert, update or delete';
    end if;
    if not exists (
        select from pg_class as c where c.oid = p_table and c.relkind in ('r', 'p')
    ) then
        raise exception using
            errcode = '22023',
            message = format('%s is no table', coalesce(p_table::text, 'null')),
            hint = 'Policies are those of tables: name the one that a view reads.';
    end if;
    v_row := dba.find_row(p_table, p_id, v_email, v_role, v_organisation);
    perform gate.impersonate(v_email, v_role, v_organisation);
    begin
        perform set_config('role', 'saas_api', true);
        select jsonb_agg(to_jsonb(e)) into v_steps
        from unnest(v_verbs) as v (verb)
        cross join lateral dba.explain_row(
            p_table, v.verb, v_row, dba.who(coalesce(v_email, 'nobody'), v_tenants),
            dba.whose(p_table, v_row, v_tenants)
        ) as e;
        raise exception using errcode = 'ZZ000';
    exception
        when sqlstate 'ZZ000' then
            perform dba.leave();
    end;
    return query
    select e.* from jsonb_to_recordset(v_steps) as e (
        verb text, step text, name text, kind text, expression text, result boolean, compared text
    );
end
$$;

comment on function dba.explain_access(regclass, text, text, text, text) is
    'Why a user can, or cannot, read and write a row: existence, grant, each policy that is asked, and a verdict in words. p_id is the id, or a JSON object of key columns; p_email who asks, or the name of a role, also api_key: nobody in particular with it; p_organisation a name or an id, null: the user''s first; p_verb null: all four. Recorded as dba.impersonated. Raises SA404, SA409, 22023.';

grant execute on function dba.explain_access(regclass, text, text, text, text) to saas_dba;
