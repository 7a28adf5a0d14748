-- A definer, because who is to become a member is found by email before the caller may read them.
create or replace function gate.find_user(p_email text)
returns uuid
language plpgsql
stable
parallel restricted
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_user_id uuid;
begin
    if gate.sealed('app.tenant_id', 'members.write') is null then
        raise exception using errcode = 'SA403', message = 'role too low';
    end if;
    select p.user_id
    into v_user_id
    from auth.passwords as p
    where p.email_digest = gate.email_digest(p_email);
    return v_user_id;
end
$$;

comment on function gate.find_user(text) is
    'Who has this email; null if nobody. For those who may add members: SA403 for others.';

grant execute on function gate.find_user(text) to saas_api;
