"""Who plays in a test: people whose names no other test has, and the staff of an organisation."""

import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.api.conftest import Api, Caller

ROLES = ("owner", "admin", "member", "viewer")


def fresh(name: str) -> str:
    """The same name with something random behind it: many tests share one database."""
    return f"{name}-{uuid.uuid4().hex[:12]}"


async def person(api: "Api", name: str) -> "Caller":
    """Somebody registered and logged in."""
    return await api.user(fresh(name))


@dataclass(frozen=True, slots=True)
class Staff:
    """An organisation, its founder, who owns it, and whoever else was hired, by role."""

    organisation_id: str
    founder: "Caller"
    people: "dict[str, Caller]"

    @property
    def path(self) -> str:
        """The organisation's."""
        return f"/orgs/{self.organisation_id}"

    def __getitem__(self, role: str) -> "Caller":
        return self.people[role]


async def staff(api: "Api", *roles: str) -> Staff:
    """An organisation with one member of each role named besides the founder; and "stranger"."""
    founder = await person(api, "founder")
    hired = Staff(await founder.organisation(), founder, {})
    for role in roles:
        hired.people[role] = await person(api, role)
        if role != "stranger":
            await founder.add(hired.organisation_id, hired[role], role)
    return hired
