create or replace function dba.explain_row(
    p_table regclass,
    p_verb text,
    p_row text,
    p_who text,
    p_whose text
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
stable
parallel restricted
security invoker
set search_path = pg_catalog, pg_temp
as $$
begin
    verb := p_verb;
    step := 'row';
    name := p_table::text;
    result := p_row is not null;
    compared := 'belongs to ' || p_whose;
    return next;

    step := 'grant';
    result := dba.granted(p_table, p_verb);
    compared := (
        select string_agg(a.attname, ', ' order by a.attnum)
        from pg_attribute as a
        where
            a.attrelid = p_table and a.attnum > 0 and not a.attisdropped
            and p_verb <> 'delete'
            and has_column_privilege('saas_api', p_table, a.attnum, nullif(p_verb, 'delete'))
    );
    return next;

    step := 'policy';
    return query
    select
        p_verb, 'policy', p.name, case when p.restrictive then 'restrictive' else 'permissive' end,
        format('%s (%s)', p.clause, p.expression), p.result,
        dba.compared(p.expression, p_table, p_row)
    from dba.policies(p_table, p_verb, p_row) as p;

    step := 'verdict';
    name := null;
    select v.allowed, v.sentence into result, compared
    from dba.verdict(p_table, p_verb, p_row, p_who, p_whose) as v;
    return next;
end
$$;

comment on function dba.explain_row(regclass, text, text, text, text) is
    'The steps of dba.explain_access for one verb, in the context as it is.';

grant execute on function dba.explain_row(regclass, text, text, text, text) to saas_api, saas_dba;
