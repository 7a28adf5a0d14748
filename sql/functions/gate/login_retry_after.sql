create or replace function gate.login_retry_after(p_email text)
returns integer
language sql
stable
parallel restricted
security invoker
set search_path = pg_catalog, pg_temp
as $$
    select case
        when count(*) = 10
            then ceil(extract(epoch from min(s.failed_at) + interval '15 minutes' - now()))::integer
    end
    from auth.login_slots as s
    where
        s.email_digest = gate.email_digest(p_email)
        and s.failed_at > now() - interval '15 minutes';
$$;

comment on function gate.login_retry_after(text) is
    'Seconds until this email may try again, once ten logins within 15 minutes have failed; null before.';
