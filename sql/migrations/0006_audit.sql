create schema audit;
comment on schema audit is 'Who did what: append-only, written by triggers in the transaction of the change.';

grant create, usage on schema audit to saas_audit;

set local role saas_audit;
alter default privileges revoke execute on functions from public;

set local role saas_owner;

-- A month a partition; audit.prepare_partitions makes them ahead of time.
create table audit.events (
    organisation_id uuid not null,
    occurred_at timestamptz not null default now(),
    audit_event_id uuid not null default uuidv7(),
    action text not null,
    actor_type text not null,
    actor_user_id uuid,
    actor_api_key_id uuid,
    actor_database_role text,
    target_type text not null,
    target_id uuid,
    request_id text,
    changes jsonb not null default '{}',
    constraint events_pkey primary key (organisation_id, occurred_at, audit_event_id),
    constraint events_action_known check (
        action in (
            'user.registered', 'user.logged_in', 'user.login_failed',
            'organisation.created', 'organisation.updated',
            'member.added', 'member.updated', 'member.removed',
            'project.created', 'project.updated', 'project.deleted',
            'api_key.created', 'api_key.revoked'
        )
    ),
    constraint events_actor_known check (
        case actor_type
            when 'user' then actor_user_id is not null
            when 'api_key' then actor_api_key_id is not null
            when 'database_role' then actor_database_role is not null
            else actor_type = 'anonymous'
        end
    ),
    -- The first half is cheap, and true of nearly all: it only looks for the words anywhere.
    constraint events_changes_no_secret_name check (
        not lower(changes::text) like any ( -- noqa: LT01, LT06
            array[
                '%passw%', '%passphrase%', '%secret%', '%token%', '%credential%', '%digest%',
                '%hash%', '%salt%', '%raw%key%', '%private%key%', '%authorization%', '%cookie%'
            ]
        )
        or not jsonb_path_exists(
            changes,
            '$.** ? (@.type() == "object").keyvalue().key
                ? (@ like_regex "passw|passphrase|secret|token|credential|digest|hash|salt|raw_?key|private_?key|authorization|cookie" flag "i")'
        )
    )
) partition by range (occurred_at);
alter table audit.events enable row level security;
alter table audit.events force row level security;

comment on table audit.events is 'What happened. No role can change, delete or truncate it, nor insert but through the triggers.';
comment on column audit.events.organisation_id is 'The tenant; the nil UUID for what belongs to none, such as a login.';
comment on column audit.events.occurred_at is 'UTC. Start of the transaction of the change.';
comment on column audit.events.audit_event_id is 'UUID version 7.';
comment on column audit.events.action is 'noun.verb in the past.';
comment on column audit.events.actor_type is 'user, api_key, database_role (someone in psql), or anonymous (a failed login).';
comment on column audit.events.actor_user_id is 'The user. Null: none acted.';
comment on column audit.events.actor_api_key_id is 'The API key. Null: none acted.';
comment on column audit.events.actor_database_role is 'Who logged in to the database. Null: a user, an API key, or nobody.';
comment on column audit.events.target_type is 'user, organisation, member, project or api_key.';
comment on column audit.events.target_id is 'Id of the target; of a member, the user id. Null: a login of an unknown email.';
comment on column audit.events.request_id is 'X-Request-ID of the request. Null: not by a request.';
comment on column audit.events.changes is '{field: {old, new}} of the fields that changed; nothing secret, which a check enforces by name at any depth.';

create table audit.events_default (like audit.events including all);
alter table audit.events_default enable row level security;
alter table audit.events_default force row level security;
alter table audit.events attach partition audit.events_default default; -- noqa: PRS
comment on table audit.events_default is 'For a month that has no partition yet; empty as long as saas-api maintain runs.';
