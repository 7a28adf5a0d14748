-- Slots, not a counter: attempts at one moment each hold a slot of their own, so that they are
-- all counted and none waits for another while a slot is free.
create or replace function gate.take_login_slot(p_email text)
returns smallint
language plpgsql
volatile
parallel unsafe
security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
    v_email_digest bytea := gate.email_digest(p_email);
    v_slot smallint;
begin
    loop
        select s.slot into v_slot
        from auth.login_slots as s
        where s.email_digest = v_email_digest and s.failed_at <= now() - interval '15 minutes'
        order by s.slot
        limit 1
        for update skip locked;
        exit when found;

        insert into auth.login_slots (email_digest, slot)
        select v_email_digest, coalesce(max(s.slot), 0) + 1
        from auth.login_slots as s
        where s.email_digest = v_email_digest
        having count(*) < 10
        on conflict do nothing
        returning login_slots.slot into v_slot;
        exit when found;

        -- All ten are there, and none is free: wait for one that is only held.
        select s.slot into v_slot
        from auth.login_slots as s
        where s.email_digest = v_email_digest and s.failed_at <= now() - interval '15 minutes'
        order by s.slot
        limit 1
        for update;
        exit when found or gate.login_retry_after(p_email) is not null;
    end loop;
    return v_slot;
end
$$;

comment on function gate.take_login_slot(text) is
    'Holds one of the email''s ten slots until the transaction ends; null when ten logins have failed.';
