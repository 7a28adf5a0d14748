drop view if exists api.audit_events;

alter table audit.events
    alter column action type text,
    alter column changes drop default,
    alter column changes type jsonb,
    alter column changes set default '{}',
    add constraint events_action_known check (
        action in (
            'user.registered', 'user.logged_in', 'user.login_failed',
            'organisation.created', 'organisation.updated',
            'member.added', 'member.updated', 'member.removed',
            'project.created', 'project.updated', 'project.deleted',
            'api_key.created', 'api_key.revoked'
        )
    ),
    add constraint events_changes_no_secret_name check (
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
    );

drop domain audit.action, audit.changes;
