drop table app.gizmos;

-- The events stay, and are no longer checked.
do $$
begin
    alter domain audit.action drop constraint events_action_known;
    alter domain audit.action add constraint events_action_known check (
        value in (
            'actions.without_these'
        )
    ) not valid;
end
$$;
