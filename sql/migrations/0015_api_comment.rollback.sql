comment on schema api is 'What HTTP calls: one function an endpoint, one statement a request.';
