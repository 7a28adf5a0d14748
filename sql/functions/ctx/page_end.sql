-- Where a page of a newest-first list begins, said to a policy: a policy's condition alone can
-- enter an index by a time (ADR 0016). Not sealed, since it can but hide rows.
create or replace function ctx.page_end()
returns timestamptz
language sql
stable
parallel safe
security invoker
return coalesce(nullif(current_setting('app.page_end', true), ''), 'infinity')::timestamptz;

comment on function ctx.page_end() is
    'Rows of app.projects and audit.events after it are not looked at; infinity unless a list has set it.';

grant execute on function ctx.page_end() to saas_api, saas_gate, saas_audit;
