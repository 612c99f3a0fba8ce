"""The same batch as one writes it first in FastAPI and SQLModel: a schema, a session, a commit.

No rights, no audit, no session of a day that the newest event sets; its own table, which has the
same key. `python -m bench` makes the table.
"""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import date, datetime
from typing import Annotated, Literal
from uuid import UUID, uuid4

from fastapi import Depends, FastAPI, Request
from pydantic import BaseModel
from sqlalchemy.ext.asyncio import create_async_engine
from sqlmodel import Field, SQLModel
from sqlmodel.ext.asyncio.session import AsyncSession

from app.core.data.columns import Instant
from app.core.data.db import as_sqlalchemy_url

TABLE = """
CREATE TABLE plain_events (id uuid PRIMARY KEY, source text NOT NULL, event_id text NOT NULL,
    child_id uuid NOT NULL, school_day date NOT NULL, session text NOT NULL, category text NOT NULL,
    happened_at timestamptz NOT NULL, UNIQUE (source, event_id));
CREATE INDEX ON plain_events (child_id, school_day)
"""


class Student(BaseModel):
    child_id: UUID


class Event(BaseModel):
    source: str
    id: str
    student: Student
    school_day: date
    session: Literal["whole_day", "morning", "afternoon"]
    category: Literal["present", "excused", "unexcused", "late", "left_early"]
    time: datetime


class Batch(BaseModel):
    events: list[Event]


class Result(BaseModel):
    id: str
    status: str


class PlainEvent(SQLModel, table=True):
    __tablename__ = "plain_events"

    id: UUID = Field(default_factory=uuid4, primary_key=True)
    source: str
    event_id: str
    child_id: UUID
    school_day: date
    session: str
    category: str
    happened_at: datetime = Field(sa_type=Instant)


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    app.state.engine = create_async_engine(as_sqlalchemy_url(os.environ["BENCH_OWNER"]))
    yield
    await app.state.engine.dispose()


async def session_of(request: Request) -> AsyncIterator[AsyncSession]:
    async with AsyncSession(request.app.state.engine) as session:
        yield session


app = FastAPI(lifespan=lifespan)


@app.get("/livez")
async def livez() -> dict[str, str]:
    return {}


@app.post("/v1/attendance-events", status_code=202)
async def push(batch: Batch, session: Annotated[AsyncSession, Depends(session_of)]) -> list[Result]:
    session.add_all(
        PlainEvent(
            source=each.source,
            event_id=each.id,
            child_id=each.student.child_id,
            school_day=each.school_day,
            session=each.session,
            category=each.category,
            happened_at=each.time,
        )
        for each in batch.events
    )
    await session.commit()
    return [Result(id=each.id, status="accepted") for each in batch.events]


def create_app() -> FastAPI:
    return app
