-- The seal holds for the settings as they stand: not for others, and not in another order.
begin;
select plan(140);

select tests.new_tenant('Acme');
select tests.new_tenant('Globex');
select tests.new_project('Gemini', 'Globex');

-- What an accessor answers, or the SQLSTATE, with one setting changed.
create function pg_temp.answer_with(p_setting text, p_value text, p_call text)
returns text
language plpgsql
as $$
declare
    v_answer text;
begin
    perform set_config(p_setting, p_value, true);
    execute 'select ' || p_call into v_answer;
    return v_answer;
exception
    when others then
        return sqlstate;
end
$$;

-- Nothing was ever set in this session: null is no seal.
set local role saas_api;
select throws_ok(
    'select ctx.tenant_id()', 'SA401', 'no sealed context in this transaction',
    'nobody gets an answer in a session that has seen no context yet'
);
reset role;

-- Every accessor, without a context and with each kind of a broken one.
select tests.as_nobody();
select throws_ok(
    'select ' || a.call, 'SA401', 'no sealed context in this transaction',
    format('nobody gets an answer from %s without a context', a.call)
)
from unnest(array[
    'ctx.tenant_id()', 'ctx.user_id()', 'ctx.api_key_id()', 'ctx.role()', 'ctx.request_id()',
    $$ ctx.permits('projects.read') $$, $$ ctx.tenant_for('projects.read') $$,
    $$ gate.sealed('app.tenant_id') $$, $$ gate.sealed('app.tenant_id', 'projects.read') $$,
    'gate.own_organisations()',
    'gate.count_own_organisations()',
    $$ gate.find_user('owner@acme.example') $$, $$ gate.create_organisation('x') $$,
    'gate.remove_member(tests.user_id(''viewer''))'
]) as a (call);
select tests.as_forger('owner');
select throws_ok(
    'select ' || a.call, 'SA401', null,
    format('a forger gets no answer from %s', a.call)
)
from unnest(array[
    'ctx.tenant_id()', 'ctx.user_id()', 'ctx.api_key_id()', 'ctx.role()', 'ctx.request_id()',
    $$ ctx.permits('projects.read') $$, $$ ctx.tenant_for('projects.read') $$,
    $$ gate.sealed('app.tenant_id') $$, $$ gate.sealed('app.tenant_id', 'projects.read') $$,
    'gate.own_organisations()',
    'gate.count_own_organisations()',
    $$ gate.find_user('owner@acme.example') $$, $$ gate.create_organisation('x') $$,
    'gate.remove_member(tests.user_id(''viewer''))'
]) as a (call);

select tests.as('viewer');
select is(
    pg_temp.answer_with(s.setting, v.value, a.call), 'SA401',
    format(
        'a viewer who sets %s to %s gets no answer from %s',
        s.setting,
        coalesce(nullif(v.value, ''), 'nothing'),
        a.call
    )
)
from unnest(array[
    'app.user_id', 'app.api_key_id', 'app.tenant_id', 'app.role', 'app.request_id', 'app.seal'
]) as s (setting),
    (values ('owner'), (tests.organisation('Globex')::text)) as v (value),
    unnest(array[
        'ctx.tenant_id()', 'ctx.user_id()', 'ctx.api_key_id()', 'ctx.role()', 'ctx.request_id()',
        $$ ctx.permits('projects.read') $$, $$ ctx.tenant_for('projects.read') $$
    ]) as a (call);
select is(
    pg_temp.answer_with(s.setting, '', 'ctx.tenant_id()'), 'SA401',
    format('a viewer who empties %s breaks the seal', s.setting)
)
from unnest(array[
    'app.user_id', 'app.tenant_id', 'app.role', 'app.request_id', 'app.seal'
]) as s (setting);
select is(
    pg_temp.answer_with('app.seal', upper(current_setting('app.seal')), 'ctx.tenant_id()'), 'SA401',
    'a viewer who writes the seal in capitals breaks it'
);
select is(
    pg_temp.answer_with('app.role', 'viewer', 'ctx.tenant_id()'), tests.organisation()::text,
    'a viewer who sets what is set already breaks nothing'
);

-- A seal of another context of this transaction.
select tests.as('owner', 'Globex');
select set_config('tests.seal', current_setting('app.seal'), true);
select tests.as('viewer');
select is(
    pg_temp.answer_with('app.seal', current_setting('tests.seal'), 'ctx.tenant_id()'), 'SA401',
    'a viewer may not put on the seal of another context'
);

-- Text moved over from one setting to the next, the separator with it: the sealed message of a
-- context must not read like that of another.
select tests.as_nobody();
select gate.enter(
    tests.credential('viewer'),
    format(
        'k|%s|owner|%s|%s|z',
        tests.organisation('Globex'),
        pg_backend_pid(),
        extract(epoch from now())
    ),
    tests.organisation(),
    'projects.read'
);
select set_config(
    'app.user_id',
    format(
        '%s||%s|viewer|%s|%s', tests.user_id('viewer'), tests.organisation(),
        pg_backend_pid(), extract(epoch from now())
    ),
    true
);
select set_config('app.api_key_id', 'k', true);
select set_config('app.tenant_id', tests.organisation('Globex')::text, true);
select set_config('app.role', 'owner', true);
select set_config('app.request_id', 'z', true);
select throws_ok(
    'select name from app.projects', 'SA401', null,
    'a viewer who hides separators in the request id reads no other organisation'
);
select tests.as_nobody();
select gate.enter(
    tests.credential('viewer'),
    format(
        '''|''k''|''%s''|''owner''|%s|%s|''z',
        tests.organisation('Globex'), pg_backend_pid(), extract(epoch from now())
    ),
    tests.organisation(),
    'projects.read'
);
select set_config(
    'app.user_id',
    format(
        '%s''|''''|''%s''|''viewer''|%s|%s|''', tests.user_id('viewer'), tests.organisation(),
        pg_backend_pid(), extract(epoch from now())
    ),
    true
);
select set_config('app.api_key_id', 'k', true);
select set_config('app.tenant_id', tests.organisation('Globex')::text, true);
select set_config('app.role', 'owner', true);
select set_config('app.request_id', 'z', true);
select throws_ok(
    'select name from app.projects', 'SA401', null,
    'a viewer who hides quotes in the request id reads no other organisation either'
);

-- Hostile request ids are only text.
select tests.as_nobody();
select is(
    (select ctx.request_id() from gate.enter(
        tests.credential('viewer'), r.id, tests.organisation(), 'projects.read'
    )),
    r.id,
    format('a viewer may use %s as a request id', r.id)
)
from unnest(array['|||', '''', '\', '%s', 'é', repeat('x', 1000)]) as r (id);

-- The seal covers where and when: HMAC-SHA-256 (RFC 2104), worked out by hand.
select tests.as('viewer');
select set_config('tests.seal', current_setting('app.seal'), true);
select set_config('tests.message', format(
    '%L|%L|%L|%L|%s|%s|%L', tests.user_id('viewer'), '', tests.organisation(), 'viewer',
    pg_backend_pid(), extract(epoch from now()), 'tests'
), true);
select tests.as_superuser();
select is(
    current_setting('tests.seal'),
    (
        select encode(sha256(k.outer_key || sha256(
            k.inner_key || convert_to(current_setting('tests.message'), 'UTF8')
        )), 'hex')
        from auth.seal_key as k
    ),
    'the seal is the HMAC of the settings, the backend and the beginning of the transaction'
);
update auth.seal_key set inner_key = outer_key, outer_key = inner_key;
select tests.as('viewer');
select isnt(
    current_setting('app.seal'), current_setting('tests.seal'), 'another key makes another seal'
);

select tests.as_superuser();
delete from auth.seal_key;
select tests.as('owner');
select throws_ok(
    'select ctx.tenant_id()', 'SA401', null, 'an owner gets no answer where there is no key'
);

-- Who could ask for a seal could forge one.
select tests.as('owner');
select throws_ok(
    'select ' || f.call, '42501',
    format('permission denied for function %s', substring(f.call from 'gate\.(\w+)')),
    format('an owner may not call %s', f.call)
)
from unnest(array[
    $$ gate.current_seal('', '', '', '', '', '', '') $$, $$ gate.is_sealed('', '') $$, 'gate.refuse_snapshot()',
    $$ gate.seal('', '', tests.user_id('owner'), null, tests.organisation('Globex'), 'owner', 'r') $$,
    $$ gate.email_digest('owner@acme.example') $$,
    $$ gate.take_login_slot('owner@acme.example') $$,
    $$ gate.login_retry_after('owner@acme.example') $$,
    'gate.keep_last_owner()'
]) as f (call);

select * from finish();
rollback;
