-- As ctx.page_time, for a name.
create or replace function ctx.page_name(p_setting text, p_unbounded text)
returns text
language sql
stable
parallel safe
security invoker
return coalesce(nullif(current_setting(p_setting, true), ''), p_unbounded);

comment on function ctx.page_name(text, text) is
    'The name that a list has set as a bound of its page; p_unbounded if it has set none.';

grant execute on function ctx.page_name(text, text) to saas_api;
