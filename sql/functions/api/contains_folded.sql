-- An expression, parsed here, so that the planner puts it into the query: a call for every row of a
-- large tenant would cost ten times what it does.
create or replace function api.contains_folded(p_text text, p_part text)
returns boolean
language sql
immutable
parallel safe
security invoker
return strpos(
    casefold(p_text collate pg_catalog.pg_unicode_fast),
    casefold(p_part collate pg_catalog.pg_unicode_fast)
) > 0;

comment on function api.contains_folded(text, text) is
    'Whether a text contains another without regard to case, in any script; % and _ are ordinary characters.';

grant execute on function api.contains_folded(text, text) to saas_api;
