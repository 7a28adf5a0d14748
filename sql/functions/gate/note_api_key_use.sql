-- Once a minute, and never in the way: a row that another request holds is skipped, and a
-- read-only transaction (a replica's, say) records nothing.
create or replace function gate.note_api_key_use(p_organisation_id uuid, p_api_key_id uuid)
returns void
language plpgsql
volatile
parallel unsafe
security invoker
set search_path = pg_catalog, pg_temp
as $$
begin
    if current_setting('transaction_read_only') = 'on' or exists (
        select from app.api_key_uses as u
        where
            u.organisation_id = p_organisation_id
            and u.api_key_id = p_api_key_id
            and u.last_used_at > now() - interval '1 minute'
    ) then
        return;
    end if;
    update app.api_key_uses as u
    set last_used_at = now()
    where
        u.organisation_id = p_organisation_id
        and u.api_key_id in (
            select l.api_key_id
            from app.api_key_uses as l
            where l.organisation_id = p_organisation_id and l.api_key_id = p_api_key_id
            for update skip locked
        );
end
$$;

comment on function gate.note_api_key_use(uuid, uuid) is
    'Sets last_used_at of an API key, at most once a minute. For gate.enter alone.';
