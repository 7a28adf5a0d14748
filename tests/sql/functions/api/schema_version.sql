begin;
select plan(6);

-- Whatever this database is at, it is at this from here on.
delete from deploy.schema_version;
insert into deploy.schema_version (version) values ('0123456789abcdef');

select tests.as_nobody();
select is(
    api.schema_version(), '0123456789abcdef', 'nobody need be anybody to ask for the schema version'
);
select throws_ok(
    'update deploy.schema_version set version = version', '42501', null,
    'nobody may change the schema version'
);
select tests.may_not_delete_or_stop('nobody', 'deploy.schema_version');

select * from finish();
rollback;
