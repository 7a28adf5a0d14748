-- Where a page begins, said to a policy: a policy's condition alone can enter an index by a time or
-- a name (ADR 0016). Not sealed, since it can but hide rows.
create or replace function ctx.page_time(p_setting text, p_unbounded timestamptz)
returns timestamptz
language sql
stable
parallel safe
security invoker
return coalesce(nullif(current_setting(p_setting, true), '')::timestamptz, p_unbounded);

comment on function ctx.page_time(text, timestamptz) is
    'The time that a list has set as a bound of its page; p_unbounded if it has set none.';

grant execute on function ctx.page_time(text, timestamptz) to saas_api, saas_gate, saas_audit;
