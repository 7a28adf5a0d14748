"""The endpoints, one module a resource: a handler is one SQL call (login: two) and its answer."""
