create or replace function dba.become(
    p_email text,
    p_role text,
    p_organisation text,
    p_read_only boolean
)
returns text
language plpgsql
volatile
parallel unsafe
security invoker
set search_path = pg_catalog, pg_temp
as $$
begin
    if current_user = 'saas_api' then
        raise exception using
            errcode = '42501',
            message = 'already somebody in this transaction',
            hint = 'commit or rollback, then once more.';
    end if;
    perform gate.impersonate(p_email, p_role, p_organisation);
    perform set_config('role', 'saas_api', true);
    if p_read_only then
        perform set_config('transaction_read_only', 'on', true);
    end if;
    return format(
        '%s%s%s, until this transaction ends',
        coalesce(p_email, 'nobody'),
        ', ' || nullif(current_setting('app.role'), '') || ' of ' || p_organisation,
        case when p_read_only then ', read only' else ', and may write' end
    );
end
$$;

comment on function dba.become(text, text, text, boolean) is
    'Becomes saas_api in a sealed context until the transaction ends. For dba.impersonate and dba.impersonate_role.';

grant execute on function dba.become(text, text, text, boolean) to saas_dba;
