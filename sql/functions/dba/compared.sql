create or replace function dba.compared(p_expression text, p_table regclass, p_row text)
returns text
language sql
stable
parallel restricted
security invoker
set search_path = pg_catalog, pg_temp
as $$
    select string_agg(
        format('%s = %s', part, coalesce(dba.evaluate(part, p_table, p_row), 'null')), ', '
        order by position
    )
    from (
        select a.attname::text, a.attnum::integer
        from pg_attribute as a
        where
            a.attrelid = p_table
            and a.attnum > 0
            and not a.attisdropped
            and regexp_replace(p_expression, '::\w+|''[^'']*''', '', 'g') ~ ('\m' || a.attname || '\M')
            and p_row is not null
        union
        select f.call[1], 1000
        from regexp_matches(
            p_expression, '(\m(?:ctx\.\w+\((?:''[^'']*''(?:::text)?)?\)|current_user\M))', 'gi'
        ) as f (call)
    ) as parts (part, position);
$$;

comment on function dba.compared(text, regclass, text) is
    'The values that an expression of a policy compares: the columns of the row, and what ctx answers.';

grant execute on function dba.compared(text, regclass, text) to saas_api, saas_dba;
