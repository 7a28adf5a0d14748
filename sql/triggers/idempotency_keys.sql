create trigger _100_claimed_anew
before update of request on app.idempotency_keys
for each row execute function app.claim_anew();
comment on trigger _100_claimed_anew on app.idempotency_keys is
'created_at is when the key was claimed; no client sets it.';
