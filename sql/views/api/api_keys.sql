create view api.api_keys with (security_invoker = true) as
select
    k.api_key_id, k.organisation_id, k.name, k.prefix, k.created_at, k.created_by_user_id,
    u.last_used_at, k.revoked_at
from app.api_keys as k
left join app.api_key_uses as u
    on u.organisation_id = k.organisation_id and u.api_key_id = k.api_key_id;

comment on view api.api_keys is 'An API key as the API shows it: never the key.';
comment on column api.api_keys.api_key_id is 'UUID version 7.';
comment on column api.api_keys.organisation_id is 'The organisation it works in.';
comment on column api.api_keys.name is '1 to 200 characters.';
comment on column api.api_keys.prefix is 'How the key begins.';
comment on column api.api_keys.created_at is 'UTC.';
comment on column api.api_keys.created_by_user_id is 'Who made it.';
comment on column api.api_keys.last_used_at is 'UTC, to the minute: its last good request. Null: none yet.';
comment on column api.api_keys.revoked_at is 'UTC. Null: works.';

grant select on api.api_keys to saas_api;
