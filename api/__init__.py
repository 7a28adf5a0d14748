"""A multi-tenant SaaS API: HTTP in front, isolation in PostgreSQL."""

__version__ = "0.1.0"
