create or replace function dba.verdict(
    p_table regclass,
    p_verb text,
    p_row text,
    p_who text,
    p_whose text,
    out allowed boolean,
    out sentence text
)
returns record
language plpgsql
stable
parallel restricted
security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
    v_no text := case p_verb when 'select' then 'hidden' else 'refused' end;
    -- WITH CHECK is asked of a new row, and there is none but the old one to ask about.
    v_as_is text := case p_verb when 'update' then ', for a change that leaves the row as it is' else '' end;
    v_wall text;
    v_doors text;
    v_open text;
begin
    select
        min(p.name) filter (where p.restrictive and p.result is not true),
        string_agg(distinct p.name, ', ') filter (where not p.restrictive),
        min(p.name) filter (where not p.restrictive and p.result)
    into v_wall, v_doors, v_open
    from dba.policies(p_table, p_verb, p_row) as p;
    allowed := false;
    if not dba.granted(p_table, p_verb) then
        sentence := format('%s: no grant of %s on %s to the API, whoever asks', v_no, p_verb, p_table);
    elsif p_row is null then
        allowed := null;
        sentence := 'unknown: nobody sees such a row whole; if there is one, a superuser can tell';
    elsif p_verb in ('update', 'delete') and not dba.holds(p_table, 'select', p_row) then
        sentence := format('%s: %s, and does not see the row', v_no, p_who);
    elsif v_wall is not null and p_whose is not null then
        sentence := format('%s: %s; the row belongs to %s', v_no, p_who, p_whose);
    elsif v_wall is not null then
        sentence := format(
            '%s: %s, and the restrictive policy %s does not hold%s', v_no, p_who, v_wall, v_as_is
        );
    elsif not dba.holds(p_table, p_verb, p_row) then
        sentence := format(
            '%s: %s, and no policy opens it (%s)%s',
            v_no, p_who, coalesce(v_doors, 'there is none'), v_as_is
        );
    else
        allowed := true;
        sentence := format(
            '%s: %s, and %s',
            case p_verb when 'select' then 'visible' else 'allowed' end, p_who,
            coalesce(v_open || ' opens it' || v_as_is, 'row-level security is off')
        );
    end if;
end
$$;

comment on function dba.verdict(regclass, text, text, text, text) is
    'Whether the context may do it to the row (null: there is none to ask about), and why, in a sentence. p_whose: the organisation of the row, if it is another one.';

grant execute on function dba.verdict(regclass, text, text, text, text) to saas_api, saas_dba;
