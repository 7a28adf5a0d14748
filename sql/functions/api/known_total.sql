create or replace function api.known_total(
    p_items json,
    p_offset bigint,
    p_has_next boolean,
    p_after_id uuid
)
returns bigint
language sql
immutable
parallel safe
security invoker
return case
    when
        not p_has_next and p_after_id is null
        and (p_offset = 0 or json_array_length(p_items) > 0)
        then p_offset + json_array_length(p_items)
end;

comment on function api.known_total(json, bigint, boolean, uuid) is
    'How many rows a list has whose last row is on this page; null where they have to be counted.';

grant execute on function api.known_total(json, bigint, boolean, uuid) to saas_api;
