"""The same batch as one writes it first in FastAPI and SQLModel: a schema, a session, a commit.

It takes each event once, of pupils whom the register has, and has the newest set the session. No
token, no rights, no audit, no receipt that is kept; its own tables, with the same keys.
"""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import date, datetime
from typing import Annotated, Literal
from uuid import UUID, uuid4

from fastapi import Depends, FastAPI, Request
from pydantic import BaseModel
from sqlalchemy import tuple_
from sqlalchemy.ext.asyncio import create_async_engine
from sqlmodel import Field, SQLModel, col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from app.core.data.columns import Instant
from app.core.data.db import as_sqlalchemy_url

TABLE = """
CREATE TABLE plain_events (id uuid PRIMARY KEY, source text NOT NULL, event_id text NOT NULL,
    child_id uuid NOT NULL, school_day date NOT NULL, session text NOT NULL, category text NOT NULL,
    happened_at timestamptz NOT NULL, UNIQUE (source, event_id));
CREATE INDEX ON plain_events (child_id, school_day);
CREATE TABLE plain_children (id uuid PRIMARY KEY);
CREATE TABLE plain_sessions (child_id uuid, school_day date, session text, category text NOT NULL,
    happened_at timestamptz NOT NULL, event_id uuid NOT NULL,
    PRIMARY KEY (child_id, school_day, session))
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


class PlainChild(SQLModel, table=True):
    __tablename__ = "plain_children"

    id: UUID = Field(primary_key=True)


class PlainSession(SQLModel, table=True):
    __tablename__ = "plain_sessions"

    child_id: UUID = Field(primary_key=True)
    school_day: date = Field(primary_key=True)
    session: str = Field(primary_key=True)
    category: str
    happened_at: datetime = Field(sa_type=Instant)
    event_id: UUID


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
    ids = {each.student.child_id for each in batch.events}
    register = await session.exec(select(PlainChild).where(col(PlainChild.id).in_(ids)))
    pupils = {each.id for each in register}
    named = [(each.source, each.id) for each in batch.events]
    stored = await session.exec(
        select(PlainEvent).where(
            tuple_(col(PlainEvent.source), col(PlainEvent.event_id)).in_(named)
        )
    )
    known = {(each.source, each.event_id) for each in stored}
    days = {each.school_day for each in batch.events}
    believed = await session.exec(
        select(PlainSession).where(
            col(PlainSession.child_id).in_(ids), col(PlainSession.school_day).in_(days)
        )
    )
    sessions = {(each.child_id, each.school_day, each.session): each for each in believed}
    results = []
    for each in batch.events:
        child_id = each.student.child_id
        if child_id not in pupils or (each.source, each.id) in known:
            results.append(Result(id=each.id, status="rejected"))
            continue
        event = PlainEvent(
            source=each.source,
            event_id=each.id,
            child_id=child_id,
            school_day=each.school_day,
            session=each.session,
            category=each.category,
            happened_at=each.time,
        )
        session.add(event)
        slot = sessions.get((child_id, each.school_day, each.session))
        if slot is None:
            slot = PlainSession(
                child_id=child_id,
                school_day=each.school_day,
                session=each.session,
                category=each.category,
                happened_at=each.time,
                event_id=event.id,
            )
            session.add(slot)
            sessions[child_id, each.school_day, each.session] = slot
        elif slot.happened_at <= each.time:
            slot.category, slot.happened_at, slot.event_id = each.category, each.time, event.id
        results.append(Result(id=each.id, status="accepted"))
    await session.commit()
    return results


def create_app() -> FastAPI:
    return app
