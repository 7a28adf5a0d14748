"""Every endpoint: what it takes, what it gives, and what else it refuses."""

from api import problems as p
from api import resources as r
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
from api.resources import made, ok
from api.settings import Settings

ORG = "/orgs/{organisation_id}"
MEMBER = ORG + "/members/{user_id}"
PROJECT = ORG + "/projects/{project_id}"


def routes(settings: Settings) -> tuple[Route, ...]:
    """The endpoints, with what their requests and answers may hold."""
    registration = s.registration(settings.password_min_length)
    return (
        Route("GET", "/healthz", health.healthz, ok(r.HEALTH), authenticated=False, query=None),
        Route(
            "GET",
            "/readyz",
            health.readyz,
            ok(r.READY),
            authenticated=False,
            query=None,
            refuses=(p.UNAVAILABLE, p.NOT_READY),
        ),
        Route(
            "GET",
            "/metrics",
            metrics.get,
            ok(r.METRICS),
            authenticated=False,
            query=None,
            refuses=(p.UNAUTHORISED,),
        ),
        Route(
            "POST",
            "/auth/register",
            auth.register,
            made(r.USER),
            authenticated=False,
            body=registration,
            refuses=(p.EMAIL_TAKEN,),
        ),
        Route(
            "POST",
            "/auth/login",
            auth.login,
            ok(r.ACCESS_TOKEN),
            authenticated=False,
            body=s.LOGIN,
            refuses=(p.UNAUTHORISED, p.THROTTLED),
        ),
        Route("GET", "/me", me.get, ok(r.ME)),
        Route(
            "POST",
            "/orgs",
            organisations.create,
            made(r.ORGANISATION, "organisation_id"),
            body=s.ORGANISATION_CREATE,
            idempotent=True,
        ),
        Route(
            "GET",
            "/orgs",
            organisations.list_page,
            ok(r.ORGANISATION_PAGE),
            query=s.ORGANISATIONS_QUERY,
        ),
        Route("GET", ORG, organisations.get, ok(r.ORGANISATION)),
        Route("PATCH", ORG, organisations.update, ok(r.ORGANISATION), body=s.ORGANISATION_UPDATE),
        Route("GET", ORG + "/members", members.list_page, ok(r.MEMBER_PAGE), query=s.MEMBERS_QUERY),
        Route(
            "POST",
            ORG + "/members",
            members.add,
            made(r.MEMBER, "user_id"),
            body=s.MEMBER_ADD,
            refuses=(p.MEMBER_EXISTS,),
        ),
        Route(
            "PATCH",
            MEMBER,
            members.update,
            ok(r.MEMBER),
            body=s.MEMBER_UPDATE,
            refuses=(p.LAST_OWNER,),
        ),
        Route("DELETE", MEMBER, members.remove, refuses=(p.LAST_OWNER,)),
        Route(
            "POST",
            ORG + "/projects",
            projects.create,
            made(r.PROJECT, "project_id"),
            body=s.PROJECT_CREATE,
            idempotent=True,
        ),
        Route(
            "GET",
            ORG + "/projects",
            projects.list_page,
            ok(r.PROJECT_PAGE),
            query=s.PROJECTS_QUERY,
        ),
        Route("GET", PROJECT, projects.get, ok(r.PROJECT)),
        Route("PATCH", PROJECT, projects.update, ok(r.PROJECT), body=s.PROJECT_UPDATE),
        Route("DELETE", PROJECT, projects.delete),
        Route(
            "POST",
            ORG + "/api-keys",
            api_keys.create,
            made(r.NEW_API_KEY, "api_key_id"),
            body=s.API_KEY_CREATE,
            idempotent=True,
        ),
        Route(
            "GET", ORG + "/api-keys", api_keys.list_page, ok(r.API_KEY_PAGE), query=s.API_KEYS_QUERY
        ),
        Route("DELETE", ORG + "/api-keys/{api_key_id}", api_keys.revoke),
        Route(
            "GET",
            ORG + "/audit-events",
            audit_events.list_page,
            ok(r.AUDIT_EVENT_PAGE),
            query=s.AUDIT_EVENTS_QUERY,
        ),
    )
