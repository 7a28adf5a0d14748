"""Every endpoint, one line each."""

from api import schemas as s
from api.calls import Route
from api.handlers import (
    api_keys,
    audit_events,
    auth,
    health,
    me,
    members,
    metrics,
    organisations,
    projects,
)
from api.settings import Settings

ORG = "/orgs/{organisation_id}"
MEMBER = ORG + "/members/{user_id}"
PROJECT = ORG + "/projects/{project_id}"


def routes(settings: Settings) -> tuple[Route, ...]:
    """The endpoints, with what their requests may hold."""
    registration = s.registration(settings.password_min_length)
    return (
        Route("GET", "/healthz", health.healthz, authenticated=False, query=None),
        Route("GET", "/readyz", health.readyz, authenticated=False, query=None),
        Route("GET", "/metrics", metrics.get, authenticated=False, query=None),
        Route("POST", "/auth/register", auth.register, authenticated=False, body=registration),
        Route("POST", "/auth/login", auth.login, authenticated=False, body=s.LOGIN),
        Route("GET", "/me", me.get),
        Route("POST", "/orgs", organisations.create, body=s.ORGANISATION_CREATE, idempotent=True),
        Route("GET", "/orgs", organisations.list_page, query=s.PAGE_QUERY),
        Route("GET", ORG, organisations.get),
        Route("PATCH", ORG, organisations.update, body=s.ORGANISATION_UPDATE),
        Route("GET", ORG + "/members", members.list_page, query=s.PAGE_QUERY),
        Route("POST", ORG + "/members", members.add, body=s.MEMBER_ADD),
        Route("PATCH", MEMBER, members.update, body=s.MEMBER_UPDATE),
        Route("DELETE", MEMBER, members.remove),
        Route("POST", ORG + "/projects", projects.create, body=s.PROJECT_CREATE, idempotent=True),
        Route("GET", ORG + "/projects", projects.list_page, query=s.PROJECTS_QUERY),
        Route("GET", PROJECT, projects.get),
        Route("PATCH", PROJECT, projects.update, body=s.PROJECT_UPDATE),
        Route("DELETE", PROJECT, projects.delete),
        Route("POST", ORG + "/api-keys", api_keys.create, body=s.API_KEY_CREATE, idempotent=True),
        Route("GET", ORG + "/api-keys", api_keys.list_page, query=s.PAGE_QUERY),
        Route("DELETE", ORG + "/api-keys/{api_key_id}", api_keys.revoke),
        Route("GET", ORG + "/audit-events", audit_events.list_page, query=s.AUDIT_EVENTS_QUERY),
    )
