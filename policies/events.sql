-- Who may touch audit events: administrators read their own tenant's, the triggers write.
revoke all on table audit.events, audit.events_default
from public, saas_api, saas_gate, saas_audit, saas_dba;

grant select on table audit.events to saas_api;
grant insert on table audit.events to saas_audit;

-- Not granted, to anyone: UPDATE, DELETE, TRUNCATE, nor anything on a partition.

-- By = any, since PostgreSQL puts an equality behind the bound, and would ask the bound of other
-- tenants' rows.
create policy tenant_isolation on audit.events as restrictive for all to public
using (
    organisation_id = any(array[(select ctx.tenant_id())])
    and occurred_at <= (select ctx.page_time('app.occurred_at_to', 'infinity'))
)
with check (
    (select current_user = 'saas_audit')
    and (
        actor_type in ('database_role', 'anonymous')
        or organisation_id
        = coalesce((select ctx.tenant_id()), '00000000-0000-0000-0000-000000000000')
    )
);
comment on policy tenant_isolation on audit.events is
'The wall: only events of the organisation entered. Only the triggers'' owner writes, and no user or API key is named but in the organisation it has entered. A list enters its index at app.occurred_at_to.';

create policy read_admin on audit.events for select to public
using (
    (select current_user = 'saas_api')
    and organisation_id = (select ctx.tenant_for('audit.read'))
);
comment on policy read_admin on audit.events is 'Owners and admins read.';

create policy insert_audit on audit.events for insert to saas_audit with check (true);
comment on policy insert_audit on audit.events is 'The trigger functions of schema audit.';
