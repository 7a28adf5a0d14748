comment on schema api is 'What HTTP calls, one statement a request: a function for each endpoint that asks the database, and what those share.';
