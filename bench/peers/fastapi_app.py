"""
FastAPI, SQLAlchemy 2 and asyncpg: the usual architecture of this job, as its users write it.

The service checks the token, the membership and the role, and writes the audit; the database role
sees every row. A session a request, Pydantic models in and out.
"""

import os
import uuid
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Literal

import argon2
import jwt
from fastapi import Depends, FastAPI, HTTPException, Query, Response, status
from fastapi.concurrency import run_in_threadpool
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import FetchedValue, ForeignKey, MetaData, func, select
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

SECRET = os.environ["BENCH_JWT_SECRET"]

engine = create_async_engine(
    os.environ["BENCH_DATABASE_URL"].replace("postgresql://", "postgresql+asyncpg://"),
    pool_size=int(os.environ["BENCH_POOL_SIZE"]),
    max_overflow=0,
)
sessions = async_sessionmaker(engine, expire_on_commit=False)
app = FastAPI()
bearer = HTTPBearer()
hasher = argon2.PasswordHasher()


class Base(DeclarativeBase):
    """The models, in schema app where they do not say otherwise."""

    metadata = MetaData(schema="app")


class User(Base):
    __tablename__ = "users"

    user_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    email: Mapped[str]
    display_name: Mapped[str | None]


class PasswordHash(Base):
    __tablename__ = "password_hashes"
    __table_args__ = ({"schema": "auth"},)

    user_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("app.users.user_id"), primary_key=True)
    password_hash: Mapped[str]


class Membership(Base):
    __tablename__ = "memberships"

    organisation_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    user_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    role: Mapped[str]


class Project(Base):
    __tablename__ = "projects"

    organisation_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    project_id: Mapped[uuid.UUID] = mapped_column(primary_key=True, server_default=FetchedValue())
    name: Mapped[str]
    description: Mapped[str | None]
    status: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(server_default=FetchedValue())
    updated_at: Mapped[datetime] = mapped_column(server_default=FetchedValue())
    deleted_at: Mapped[datetime | None]


class AuditEvent(Base):
    __tablename__ = "events"
    __table_args__ = ({"schema": "audit"},)

    organisation_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    audit_event_id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=uuid.uuid4)
    action: Mapped[str]
    actor_type: Mapped[str]
    actor_user_id: Mapped[uuid.UUID | None]
    target_type: Mapped[str]
    target_id: Mapped[uuid.UUID | None]
    changes: Mapped[dict[str, Any]] = mapped_column(JSONB)


class Credentials(BaseModel):
    email: str
    password: str


class Token(BaseModel):
    access_token: str
    token_type: str = "bearer"
    expires_in: int


class ProjectIn(BaseModel):
    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True)

    name: str = Field(min_length=1, max_length=200)
    description: str | None = Field(default=None, max_length=2000)
    status: Literal["active", "archived"] = "active"


class ProjectOut(BaseModel):
    model_config = ConfigDict(from_attributes=True)

    project_id: uuid.UUID
    organisation_id: uuid.UUID
    name: str
    description: str | None
    status: str
    created_at: datetime
    updated_at: datetime


class ProjectPage(BaseModel):
    items: list[ProjectOut]
    total: int
    limit: int
    offset: int


class ProjectQuery(BaseModel):
    model_config = ConfigDict(extra="forbid")

    limit: int = Field(default=50, ge=1, le=200)
    offset: int = Field(default=0, ge=0)
    status: Literal["active", "archived"] | None = None
    name: str | None = None
    sort_by: Literal["created_at", "updated_at", "name"] = "created_at"
    sort_direction: Literal["asc", "desc"] = "desc"


async def get_session() -> AsyncIterator[AsyncSession]:
    async with sessions() as session:
        yield session


Session = Annotated[AsyncSession, Depends(get_session)]


async def get_user(
    session: Session, credentials: Annotated[HTTPAuthorizationCredentials, Depends(bearer)]
) -> User:
    try:
        claims = jwt.decode(credentials.credentials, SECRET, algorithms=["HS256"])
    except jwt.InvalidTokenError:
        raise HTTPException(status.HTTP_401_UNAUTHORIZED) from None
    user = await session.get(User, uuid.UUID(claims["sub"]))
    if user is None:
        raise HTTPException(status.HTTP_401_UNAUTHORIZED)
    return user


class RequireRole:
    """A dependency: the caller's membership in the path's organisation, if its role will do."""

    def __init__(self, *roles: str) -> None:
        self.roles = roles

    async def __call__(
        self,
        organisation_id: uuid.UUID,
        session: Session,
        user: Annotated[User, Depends(get_user)],
    ) -> Membership:
        membership = await session.get(Membership, (organisation_id, user.user_id))
        if membership is None:
            raise HTTPException(status.HTTP_404_NOT_FOUND)
        if membership.role not in self.roles:
            raise HTTPException(status.HTTP_403_FORBIDDEN)
        return membership


Reader = Annotated[Membership, Depends(RequireRole("owner", "admin", "member", "viewer"))]
Writer = Annotated[Membership, Depends(RequireRole("owner", "admin", "member"))]


@app.post("/auth/login")
async def login(body: Credentials, session: Session) -> Token:
    user_and_hash = (
        await session.execute(
            select(User, PasswordHash.password_hash)
            .join(PasswordHash, PasswordHash.user_id == User.user_id)
            .where(User.email == body.email)
        )
    ).one_or_none()
    if user_and_hash is None:
        raise HTTPException(status.HTTP_401_UNAUTHORIZED)
    user, password_hash = user_and_hash
    try:
        await run_in_threadpool(hasher.verify, password_hash, body.password)
    except argon2.exceptions.VerifyMismatchError:
        raise HTTPException(status.HTTP_401_UNAUTHORIZED) from None
    expires_in = 86400
    claims = {
        "sub": str(user.user_id),
        "exp": datetime.now(UTC) + timedelta(seconds=expires_in),
    }
    return Token(access_token=jwt.encode(claims, SECRET, "HS256"), expires_in=expires_in)


@app.get("/orgs/{organisation_id}/projects/{project_id}", response_model=ProjectOut)
async def get_project(
    organisation_id: uuid.UUID, project_id: uuid.UUID, session: Session, _membership: Reader
) -> Project:
    project = await session.scalar(
        select(Project).where(
            Project.organisation_id == organisation_id,
            Project.project_id == project_id,
            Project.deleted_at.is_(None),
        )
    )
    if project is None:
        raise HTTPException(status.HTTP_404_NOT_FOUND)
    return project


@app.get("/orgs/{organisation_id}/projects", response_model=ProjectPage)
async def list_projects(
    organisation_id: uuid.UUID,
    query: Annotated[ProjectQuery, Query()],
    session: Session,
    _membership: Reader,
) -> dict[str, Any]:
    conditions = [Project.organisation_id == organisation_id, Project.deleted_at.is_(None)]
    if query.status is not None:
        conditions.append(Project.status == query.status)
    if query.name is not None:
        conditions.append(Project.name.icontains(query.name, autoescape=True))
    order = {
        "created_at": Project.created_at,
        "updated_at": Project.updated_at,
        "name": Project.name.collate("C"),
    }[query.sort_by]
    total = await session.scalar(select(func.count()).select_from(Project).where(*conditions))
    columns = (order, Project.project_id)
    items = await session.scalars(
        select(Project)
        .where(*conditions)
        .order_by(*(getattr(column, query.sort_direction)() for column in columns))
        .limit(query.limit)
        .offset(query.offset)
    )
    return {"items": items.all(), "total": total, "limit": query.limit, "offset": query.offset}


@app.post("/orgs/{organisation_id}/projects", response_model=ProjectOut, status_code=201)
async def create_project(
    organisation_id: uuid.UUID,
    body: ProjectIn,
    response: Response,
    session: Session,
    membership: Writer,
) -> Project:
    project = Project(organisation_id=organisation_id, **body.model_dump())
    session.add(project)
    await session.flush()
    session.add(
        AuditEvent(
            organisation_id=organisation_id,
            action="project.created",
            actor_type="user",
            actor_user_id=membership.user_id,
            target_type="project",
            target_id=project.project_id,
            changes=body.model_dump(),
        )
    )
    await session.commit()
    response.headers["Location"] = f"/orgs/{organisation_id}/projects/{project.project_id}"
    return project
