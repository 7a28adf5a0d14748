create or replace function api.page(
    p_items json,
    p_total bigint,
    p_limit integer,
    p_offset bigint,
    p_next_cursor text
)
returns json
language sql
volatile
parallel unsafe
security invoker
return json_build_object(
    'items', p_items,
    'total', least(p_total, 10000),
    'total_is_exact', p_total <= 10000,
    'limit', p_limit,
    'offset', p_offset,
    'next_cursor', nullif(set_config('app.next_cursor', coalesce(p_next_cursor, ''), true), '')
);

comment on function api.page(json, bigint, integer, bigint, text) is
    'The body of a page. p_total is counted up to 10,001. The cursor is set as app.next_cursor too, for the header Link.';

grant execute on function api.page(json, bigint, integer, bigint, text) to saas_api;
