-- The schema of the database's own people, and the event of what they may do there.
-- squawk-ignore-file ban-drop-constraint
create schema dba;
comment on schema dba is 'What a database administrator asks: become a tenant, see why a row is hidden. For saas_dba.';

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
            'api_key.created', 'api_key.revoked',
            'dba.impersonated'
        )
    );
end
$$;
