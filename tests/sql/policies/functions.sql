-- Who may call what, but for schema api, whose functions are for the API alone, and for triggers,
-- which nobody calls (tests/sql/invariants.sql).
begin;
select plan(1);

select results_eq(
    $$
    select
        format(
            '%s: %s', p.oid::regproc,
            coalesce(
                string_agg(x.grantee::regrole::text, ', ' order by x.grantee::regrole::text), 'nobody'
            )
        )
    from pg_catalog.pg_proc as p
    join pg_catalog.pg_namespace as n on n.oid = p.pronamespace
    left join lateral aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) as x
        on x.grantee <> p.proowner
    where
        n.nspname in ('app', 'audit', 'ctx', 'dba', 'gate')
        and p.prorettype <> 'trigger'::regtype
    group by p.oid, n.nspname, p.proname
    order by n.nspname, p.proname
    $$,
    array[
        'app.claim_id: saas_api',
        'audit.actor: nobody',
        'audit.add_partition: saas_owner',
        'audit.count_events: nobody',
        'audit.drop_partitions: saas_owner',
        'audit.partitions: saas_owner',
        'audit.prepare_partitions: saas_owner',
        'audit.record_impersonation: saas_gate',
        'audit.record_user_event: saas_gate',
        'audit.relieve_default: saas_owner',
        'ctx.api_key_id: saas_api, saas_gate',
        'ctx.page_name: saas_api',
        'ctx.page_time: saas_api, saas_audit, saas_gate',
        'ctx.permissions: saas_gate',
        'ctx.permits: saas_api, saas_gate',
        'ctx.request_id: saas_api, saas_gate',
        'ctx.role: saas_api, saas_gate',
        'ctx.tenant_for: saas_api, saas_gate',
        'ctx.tenant_id: saas_api, saas_audit, saas_gate',
        'ctx.user_id: saas_api, saas_gate',
        'dba.become: saas_dba',
        'dba.compared: saas_api, saas_dba',
        'dba.evaluate: saas_api, saas_dba',
        'dba.explain_access: saas_dba',
        'dba.explain_row: saas_api, saas_dba',
        'dba.find_row: saas_dba',
        'dba.granted: saas_api, saas_dba',
        'dba.holds: saas_api, saas_dba',
        'dba.impersonate: saas_dba',
        'dba.impersonate_role: saas_dba',
        'dba.key_condition: saas_dba',
        'dba.leave: saas_dba',
        'dba.look: saas_dba',
        'dba.policies: saas_api, saas_dba',
        'dba.verdict: saas_api, saas_dba',
        'dba.who: saas_api, saas_dba',
        'dba.whoami: saas_api, saas_dba',
        'dba.whose: saas_api, saas_dba',
        'gate.authenticate: saas_api',
        'gate.count_own_organisations: saas_api',
        'gate.create_organisation: saas_api',
        'gate.current_seal: nobody',
        'gate.email_digest: nobody',
        'gate.enter: saas_api',
        'gate.enter_user: saas_api',
        'gate.find_organisation: nobody',
        'gate.find_user: saas_api',
        'gate.impersonate: saas_dba',
        'gate.is_sealed: nobody',
        'gate.login: saas_api',
        'gate.login_challenge: saas_api',
        'gate.login_retry_after: nobody',
        'gate.note_api_key_use: nobody',
        'gate.open_session: nobody',
        'gate.own_organisations: saas_api',
        'gate.own_permissions: saas_api',
        'gate.refuse_snapshot: nobody',
        'gate.register: saas_api',
        'gate.remove_member: saas_api',
        'gate.seal: nobody',
        'gate.sealed: saas_api, saas_audit, saas_owner',
        'gate.store_api_key: saas_api',
        'gate.take_login_slot: nobody',
        'gate.tenants: saas_dba'
    ],
    'each function may be called by whom it is for and by nobody else'
);

select * from finish();
rollback;
