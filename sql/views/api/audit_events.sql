create view api.audit_events with (security_invoker = true) as
select
    e.audit_event_id, e.organisation_id, e.action, e.actor_type, e.actor_user_id,
    e.actor_api_key_id, e.target_type, e.target_id, e.request_id, e.changes, e.occurred_at
from audit.events as e;

comment on view api.audit_events is 'An audit event as the API shows it.';
comment on column api.audit_events.audit_event_id is 'UUID version 7.';
comment on column api.audit_events.organisation_id is 'The tenant.';
comment on column api.audit_events.action is 'noun.verb in the past.';
comment on column api.audit_events.actor_type is 'user, api_key, database_role or anonymous.';
comment on column api.audit_events.actor_user_id is 'The user. Null: none acted.';
comment on column api.audit_events.actor_api_key_id is 'The API key. Null: none acted.';
comment on column api.audit_events.target_type is 'organisation, member, project, api_key, or user: whom a database administrator became.';
comment on column api.audit_events.target_id is 'Id of the target; of a member, the user id.';
comment on column api.audit_events.request_id is 'X-Request-ID of the request. Null: not by a request.';
comment on column api.audit_events.changes is '{field: {old, new}}.';
comment on column api.audit_events.occurred_at is 'UTC.';

grant select on api.audit_events to saas_api;
