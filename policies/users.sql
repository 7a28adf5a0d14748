-- Who may touch users. No tenant table: a user may belong to many organisations, or to none.
revoke all on table app.users from public, saas_api, saas_gate, saas_audit, saas_dba;

grant select on table app.users to saas_api;

grant insert (user_id, email, display_name) on table app.users to saas_gate;

-- Asked once, and so cheap that it is asked before any condition of the caller's on a row:
-- without a context, `where email < 'm'` would else fail only if such an email exists.
create policy context_first on app.users as restrictive for select to public
using ((select current_user <> 'saas_api' or (select ctx.user_id()) is not null));
comment on policy context_first on app.users is
'No context is an error, whatever is asked; an API key reads no user.';

create policy read_self on app.users for select to public
using ((select current_user = 'saas_api') and user_id = (select ctx.user_id()));
comment on policy read_self on app.users is 'Users read themselves.';

create policy read_admin on app.users for select to public
using (
    (select current_user = 'saas_api')
    -- A value and not EXISTS, which the planner may answer by reading every membership there.
    and (
        select true
        from app.memberships as m
        where m.organisation_id = (select ctx.tenant_id()) and m.user_id = users.user_id
    )
);
comment on policy read_admin on app.users is
'Who may list the members of the organisation entered (the policies of memberships say) reads who they are.';

create policy insert_gate on app.users for insert to saas_gate
with check (user_id = (select ctx.user_id()));
comment on policy insert_gate on app.users is 'gate.register.';
