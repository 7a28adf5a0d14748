-- Results of schema api that show a secret of schema auth; no row is as it should be. A view may
-- not read a relation of auth at all; a column or a result may not be named like a secret column,
-- which is one whose comment begins with "Secret". Run by scripts/guardrails/secrets.py.
with secret as (
    select distinct a.attname
    from pg_catalog.pg_attribute as a
    join pg_catalog.pg_class as c on c.oid = a.attrelid
    where
        c.relnamespace = 'auth'::regnamespace
        and a.attnum > 0
        and pg_catalog.col_description(c.oid, a.attnum) like 'Secret%'
),

shown as (
    select c.oid::regclass::text as name, a.attname
    from pg_catalog.pg_class as c
    join pg_catalog.pg_attribute as a on a.attrelid = c.oid
    where c.relnamespace = 'api'::regnamespace and c.relkind in ('v', 'm', 'r') and a.attnum > 0

    union all

    select p.oid::regprocedure::text, p.proargnames[i]
    from pg_catalog.pg_proc as p
    cross join lateral generate_subscripts(p.proargmodes, 1) as i
    where p.pronamespace = 'api'::regnamespace and p.proargmodes[i] in ('o', 'b', 't')
)

select format('%s shows a column named %s', s.name, s.attname) as fault
from shown as s
join secret using (attname)
-- The salt goes to Python, which needs it to hash a password, and to no client.
where (s.name, s.attname) <> ('api.login_challenge(text,text)', 'salt')

union all

select distinct format('%s reads %s', v.oid::regclass, t.oid::regclass)
from pg_catalog.pg_class as v
join pg_catalog.pg_rewrite as r on r.ev_class = v.oid
join pg_catalog.pg_depend as d on d.classid = 'pg_rewrite'::regclass and d.objid = r.oid
join pg_catalog.pg_class as t on d.refclassid = 'pg_class'::regclass and t.oid = d.refobjid
where v.relnamespace = 'api'::regnamespace and t.relnamespace = 'auth'::regnamespace

union all

select format('%s returns a row of %s', p.oid::regprocedure, t.typrelid::regclass)
from pg_catalog.pg_proc as p
join pg_catalog.pg_type as t on t.oid = p.prorettype
join pg_catalog.pg_class as c on c.oid = t.typrelid
where p.pronamespace = 'api'::regnamespace and c.relnamespace = 'auth'::regnamespace

union all

select format('%s is a security definer', p.oid::regprocedure)
from pg_catalog.pg_proc as p
where p.pronamespace = 'api'::regnamespace and p.prosecdef
order by 1
