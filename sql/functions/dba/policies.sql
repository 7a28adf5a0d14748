create or replace function dba.policies(p_table regclass, p_verb text, p_row text)
returns table (name text, clause text, restrictive boolean, expression text, result boolean)
language plpgsql
stable
parallel restricted
security invoker
set search_path = pg_catalog, pg_temp
as $$
begin
    for name, clause, restrictive, expression in
        select p.polname::text, c.clause, not p.polpermissive, pg_get_expr(c.expression, p.polrelid)
        from pg_policy as p
        join pg_class as t on t.oid = p.polrelid and t.relrowsecurity
        cross join lateral (
            values
                ('using', p.polqual, p_verb <> 'insert'),
                (
                    'with check', coalesce(p.polwithcheck, p.polqual),
                    p_verb in ('insert', 'update')
                )
        ) as c (clause, expression, asked)
        where
            p.polrelid = p_table
            and p.polroles && array[0, 'saas_api'::regrole]::oid[]
            and c.asked
            and c.expression is not null
            and p.polcmd in (
                '*',
                case p_verb
                    when 'select' then 'r' when 'insert' then 'a' when 'update' then 'w' else 'd'
                end
            )
        order by p.polpermissive, p.polname, c.clause
    loop
        result := dba.evaluate(expression, p_table, p_row)::boolean;
        return next;
    end loop;
end
$$;

comment on function dba.policies(regclass, text, text) is
    'The policies that saas_api meets, restrictive ones first, with what each says of a row, here and now. Null: there is no row, or the expression is null, which is no yes.';

grant execute on function dba.policies(regclass, text, text) to saas_api, saas_dba;
