-- Word by word, as PostgreSQL writes an expression: a name that is no plain word is quoted, and
-- what stands in a literal or in a cast is no column.
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
        select distinct w.word[1] as part, coalesce(a.attnum::integer, 1000) as position
        from regexp_matches(
            p_expression,
            '''(?:[^'']|'''')*''|::(?:[\w.]|"(?:[^"]|"")*")+|"(?:[^"]|"")*"'
            || '|ctx\.\w+\((?:''[^'']*''(?:::text)?)?\)|\w+',
            'g'
        ) as w (word)
        left join pg_attribute as a
            on a.attrelid = p_table
            and a.attnum > 0
            and not a.attisdropped
            and p_row is not null
            and quote_ident(a.attname) = w.word[1]
        where a.attnum is not null or w.word[1] ~ '^ctx\.' or w.word[1] = 'CURRENT_USER'
    ) as parts (part, position);
$$;

comment on function dba.compared(text, regclass, text) is
    'The values that an expression of a policy compares: the columns of the row, and what ctx answers.';

grant execute on function dba.compared(text, regclass, text) to saas_api, saas_dba;
