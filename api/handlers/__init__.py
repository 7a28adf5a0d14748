"""The endpoints, one module a resource: each handler is one SQL call and its answer."""
