-- What a verb is held to: each policy and clause, all of the restrictive ones and one of the others,
-- and the grants.
begin;
select plan(11);

create table app.rules (size integer, weight integer);
alter table app.rules enable row level security;
grant select, update on app.rules to saas_api;
create policy low on app.rules as restrictive for all to public using (size < 10);
create policy high on app.rules as restrictive for all to public using (size > 0);
create policy light on app.rules as restrictive for select to public using (weight < 10);
create policy four on app.rules for select to saas_api using (size = 4);
create policy forty on app.rules for select to saas_api using (size = 40);
create policy gate_only on app.rules for select to saas_gate using (true);
create policy move on app.rules for update to saas_api using (size in (4, 6));
create schema hidden;
create table hidden.rules ();
grant select on hidden.rules to saas_api;

select results_eq(
    $$ select name, clause from dba.policies('app.rules', 'select', '(4,1)') where not restrictive $$,
    $$ values ('forty', 'using'), ('four', 'using') $$,
    'the API meets the policies of its own role, and none of the gate''s'
);
select set_has(
    $$ select name, clause, result from dba.policies('app.rules', 'update', '(4,1)') $$,
    $$ values ('move', 'using', true), ('move', 'with check', true), ('low', 'with check', true) $$,
    'an update is held to USING twice where a policy has no WITH CHECK'
);
select ok(dba.holds('app.rules', 'select', '(4,1)'), 'one permissive policy of two is enough');
select ok(not dba.holds('app.rules', 'select', '(5,1)'), 'none is not');
select ok(
    not dba.holds('app.rules', 'select', '(40,1)'), 'one restrictive policy that is false is enough'
);
select ok(
    not dba.holds('app.rules', 'select', '(4,)'), 'one that is null is no yes, though others are true'
);
select results_eq(
    $$ select allowed, sentence from dba.verdict('app.rules', 'update', '(6,1)', 'ada', null) $$,
    $$ values (false, 'refused: ada, and does not see the row') $$,
    'who does not see a row does not update it, whatever the policies of updates say'
);
select results_eq(
    $$ select allowed from dba.verdict('app.rules', 'update', '(4,1)', 'ada', null) $$,
    array[true], 'who sees it does, if they let it'
);
select ok(dba.granted('app.rules', 'select'), 'the API has what is granted');
select ok(
    not dba.granted('hidden.rules', 'select'), 'a grant is none in a schema that the API may not use'
);

-- Settings, since a DBA may not ask ctx, and whoami says nobody of either.
select tests.new_tenant();
set local role saas_dba;
select dba.explain_access('app.users', tests.user_id('owner')::text, tests.email('owner'));
select is(
    (
        select string_agg(current_setting('app.' || s.name, true), '')
        from unnest(array['user_id', 'api_key_id', 'tenant_id', 'role', 'request_id', 'seal']) as s (name)
    ),
    '', 'nothing of the context stays when a DBA has looked'
);

select * from finish();
rollback;
