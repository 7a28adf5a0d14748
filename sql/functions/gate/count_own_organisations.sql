-- A definer, because who is in no organisation's context sees no membership.
create or replace function gate.count_own_organisations()
returns bigint
language plpgsql
stable
parallel restricted
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_user_id uuid := ctx.user_id();
begin
    return (
        select count(*) from (
            select from app.memberships as m where m.user_id = v_user_id limit 10001
        ) as counted
    );
end
$$;

comment on function gate.count_own_organisations() is
    'How many organisations the user of this context belongs to, counted up to 10,001.';

grant execute on function gate.count_own_organisations() to saas_api;
