create or replace function api.cursor(p_list text, p_key text, p_id uuid)
returns text
language sql
immutable
parallel safe
security invoker
return translate(
    encode(convert_to(json_build_array(p_list, p_key, p_id)::text, 'UTF8'), 'base64'),
    E'+/=\n', '-_'
);

comment on function api.cursor(text, text, uuid) is
    'A row''s place in a list: base64url of a JSON array, of the list and its order, what it is ordered by, and the id.';

grant execute on function api.cursor(text, text, uuid) to saas_api;
