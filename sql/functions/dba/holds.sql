create or replace function dba.holds(p_table regclass, p_verb text, p_row text)
returns boolean
language sql
stable
parallel restricted
security invoker
set search_path = pg_catalog, pg_temp
as $$
    -- A clause that is asked and that no policy has is false: an update is asked both.
    select not c.relrowsecurity or (
        select count(*) = case p_verb when 'update' then 2 else 1 end and bool_and(s.holds)
        from (
            select
                coalesce(bool_and(p.result is true) filter (where p.restrictive), true)
                and coalesce(bool_or(p.result) filter (where not p.restrictive), false) as holds
            from dba.policies(p_table, p_verb, p_row) as p
            group by p.clause
        ) as s
    )
    from pg_class as c
    where c.oid = p_table;
$$;

comment on function dba.holds(regclass, text, text) is
    'Whether the policies let the context do it to a row: every restrictive one is true, and one of the others, for each clause that is asked.';

grant execute on function dba.holds(regclass, text, text) to saas_api, saas_dba;
