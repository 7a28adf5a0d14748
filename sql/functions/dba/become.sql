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
    perform gate.impersonate(p_email, p_role, p_organisation);
    -- PostgreSQL ends read-only with the savepoint it was set in, be it released. Each open savepoint
    -- that has written holds a lock on its id: this one has now, by the event.
    if p_read_only and (
        select count(*) > 1
        from pg_locks as l
        where
            l.pid = pg_backend_pid()
            and l.locktype = 'transactionid'
            and l.mode = 'ExclusiveLock'
    ) then
        raise exception using
            errcode = '25001',
            message = 'read only would end with the savepoint',
            hint = 'Become somebody outside of any savepoint, in psql with ON_ERROR_ROLLBACK off, or '
            || 'with read_only => false.';
    end if;
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
    'Becomes saas_api in a sealed context until the transaction ends. For dba.impersonate and dba.impersonate_role. Raises 25001 for read only in a savepoint.';

grant execute on function dba.become(text, text, text, boolean) to saas_dba;
