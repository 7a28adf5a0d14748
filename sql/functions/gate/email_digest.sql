create or replace function gate.email_digest(p_email text)
returns bytea
language sql
immutable
parallel safe
security invoker
set search_path = pg_catalog, pg_temp
as $$
    select sha256(convert_to(casefold(p_email collate pg_catalog.pg_unicode_fast), 'UTF8'));
$$;

comment on function gate.email_digest(text) is
    'SHA-256 of an email without regard to case: the name of its login slots.';
