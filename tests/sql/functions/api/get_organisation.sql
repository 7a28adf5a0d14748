begin;
select plan(4);

select tests.new_tenant('Acme');
select tests.new_tenant('Globex');

select tests.as_nobody();
select is(
    api.get_organisation(tests.credential(a.actor), 'r', tests.organisation())::text,
    format(
        '{"organisation_id":"%s","name":"Acme","created_at":%s,"updated_at":%s}',
        tests.organisation(), to_json(now()), to_json(now())
    ),
    format('%s reads the organisation', a.actor)
)
from unnest(array['owner', 'admin', 'member', 'viewer']) as a (actor);

select * from finish();
rollback;
