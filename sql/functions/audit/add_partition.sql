-- Made apart and then attached, which, unlike PARTITION OF, stops nobody who writes events.
-- A partition is born locked, too: no grant, no policy, no TRUNCATE.
create or replace function audit.add_partition(p_name text, p_bounds text, p_comment text)
returns void
language plpgsql
volatile
parallel unsafe
security invoker
set search_path = pg_catalog, pg_temp
as $$
begin
    execute format(
        'create table audit.%1$I (like audit.events including all);
        alter table audit.%1$I enable row level security;
        alter table audit.%1$I force row level security;
        comment on table audit.%1$I is %2$L;
        create trigger _100_append_only before truncate on audit.%1$I
        for each statement execute function audit.refuse_change();
        comment on trigger _100_append_only on audit.%1$I is %3$L;
        alter table audit.events attach partition audit.%1$I %4$s;',
        p_name, p_comment, 'Append-only, for superusers too.', p_bounds
    );
end
$$;

comment on function audit.add_partition(text, text, text) is
    'Makes a partition of audit.events. p_bounds: FOR VALUES ..., or DEFAULT. For audit.prepare_partitions and audit.relieve_default.';

grant execute on function audit.add_partition(text, text, text) to saas_owner;
