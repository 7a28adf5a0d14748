begin;
select plan(85);

-- All that is granted.
select results_eq(
    $$ select * from tests.grants('auth.seal_key') $$,
    array[
        'saas_gate: SELECT'
    ],
    'auth.seal_key is granted to whom it must be and to nobody else'
);

select tests.new_tenant('Acme');
select tests.new_tenant('Globex');

-- No actor: the whole schema is shut.
select tests.as('owner');
select tests.may_not_touch('an owner', 'auth.seal_key', 'inner_key');
select tests.as('admin');
select tests.may_not_touch('an admin', 'auth.seal_key', 'inner_key');
select tests.as('member');
select tests.may_not_touch('a member', 'auth.seal_key', 'inner_key');
select tests.as('viewer');
select tests.may_not_touch('a viewer', 'auth.seal_key', 'inner_key');
select tests.as('api_key');
select tests.may_not_touch('an API key', 'auth.seal_key', 'inner_key');
select tests.as('stranger');
select tests.may_not_touch('a stranger', 'auth.seal_key', 'inner_key');
select tests.as_forger('owner');
select tests.may_not_touch('a forger', 'auth.seal_key', 'inner_key');
select tests.as_nobody();
select tests.may_not_touch('nobody', 'auth.seal_key', 'inner_key');
select throws_ok(
    'select from auth.seal_key', '42501', 'permission denied for schema auth',
    'nobody may enter the schema of the secrets'
);
set local role saas_audit;
select tests.may_not_touch('the audit', 'auth.seal_key', 'inner_key');

-- The owner of the table.
select tests.as('owner');
set local role saas_owner;
select is_empty(
    'select * from auth.seal_key',
    'the role that owns the table reads no row of it, in whatever context'
);

-- The gate reads it, and nobody ever writes it.
select tests.as_nobody();
set local role saas_gate;
select results_eq(
    'select count(*) from auth.seal_key', array[1::bigint], 'the gate reads the key of the seal'
);
select throws_ok(
    'insert into auth.seal_key select * from auth.seal_key',
    '42501', 'permission denied for table seal_key',
    'the gate may not add a key'
);
select throws_ok(
    format('update auth.seal_key set %I = %I', c.name, c.name),
    '42501', 'permission denied for table seal_key',
    format('the gate may not change %s', c.name)
)
from unnest(array['inner_key', 'outer_key']) as c (name);
select tests.may_not_delete_or_stop('the gate', 'auth.seal_key');

-- One key, of the right form.
select tests.as_superuser();
select throws_ok(
    'insert into auth.seal_key select * from auth.seal_key', '23505', null,
    'there is one key, never two'
);
select throws_ok(
    $$ update auth.seal_key set inner_key = inner_key || '\x00' $$, '23514', null,
    'half a key has 64 bytes'
);
select throws_ok(
    $$ update auth.seal_key set outer_key = substr(outer_key, 2) $$, '23514', null,
    'so has the other half'
);
select ok(
    (
        select bool_and((get_byte(inner_key, b.n) # 54) = (get_byte(outer_key, b.n) # 92))
        from auth.seal_key, generate_series(0, 63) as b (n)
    )
    and (select count(distinct get_byte(inner_key, b.n)) > 8
        from auth.seal_key, generate_series(0, 31) as b (n)),
    'both halves are one random key, padded as RFC 2104 says'
);

-- Were the schema opened, the table would still be shut.
select tests.as_superuser();
grant usage on schema auth to saas_api;
select tests.as('owner');
select tests.may_not_touch(
    'an owner let into the schema of the secrets', 'auth.seal_key', 'inner_key'
);

select * from finish();
rollback;
