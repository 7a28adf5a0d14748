-- HMAC-SHA-256 (RFC 2104) over the settings as they stand, this backend and this transaction.
-- Each setting is quoted (%L), so that no two contexts read the same: anyone may put any text,
-- a separator too, into any of them.
-- Not granted to anyone: a caller who could ask for the seal of any settings could forge one.
create or replace function gate.current_seal()
returns text
language plpgsql
stable
parallel restricted
security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
    v_message bytea := convert_to(
        format(
            '%L|%L|%L|%L|%s|%s|%L',
            current_setting('app.user_id', true),
            current_setting('app.api_key_id', true),
            current_setting('app.tenant_id', true),
            current_setting('app.role', true),
            pg_backend_pid(),
            extract(epoch from now()),
            current_setting('app.request_id', true)
        ),
        'UTF8'
    );
    v_seal text;
begin
    select encode(sha256(k.outer_key || sha256(k.inner_key || v_message)), 'hex')
    into v_seal
    from auth.seal_key as k;
    return v_seal;
end
$$;

comment on function gate.current_seal() is
    'What app.seal must be for the other app.* settings to be true, here and now.';
