drop schema dba;

-- Events of impersonation stay, and are no longer checked.
-- One statement: PostgreSQL 18 refuses the second ALTER DOMAIN in a savepoint after the first.
do $$
begin
    alter domain audit.action drop constraint events_action_known;
    alter domain audit.action add constraint events_action_known check (
        value in (
            'user.registered', 'user.logged_in', 'user.login_failed',
            'organisation.created', 'organisation.updated',
            'member.added', 'member.updated', 'member.removed',
            'project.created', 'project.updated', 'project.deleted',
            'api_key.created', 'api_key.revoked'
        )
    ) not valid;
end
$$;
