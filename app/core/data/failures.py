"""What is wrong with the database when it does not do something, and what of that passes."""

from typing import Final

import asyncpg
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from app.core.problems import Cause

CUT_OFF: Final = (
    ConnectionError,
    asyncpg.PostgresConnectionError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,  # the server hung up while a statement was being sent
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
)
PASSING: Final = (
    *CUT_OFF,
    PoolTimeout,
    TimeoutError,  # the server is silent
    asyncpg.LockNotAvailableError,
    asyncpg.SerializationError,
    asyncpg.DeadlockDetectedError,
    asyncpg.InsufficientResourcesError,
    asyncpg.OperatorInterventionError,  # cancelled, shutting down, or not up yet
)

_CAUSES: Final[tuple[tuple[tuple[type[BaseException], ...], Cause], ...]] = (
    ((PoolTimeout,), Cause.pool_full),
    ((asyncpg.LockNotAvailableError,), Cause.lock),
    ((asyncpg.SerializationError, asyncpg.DeadlockDetectedError), Cause.collision),
    ((asyncpg.QueryCanceledError,), Cause.statement_timeout),
    ((asyncpg.InsufficientResourcesError,), Cause.database_full),
    ((*CUT_OFF, asyncpg.OperatorInterventionError), Cause.database_away),
    ((TimeoutError,), Cause.database_silent),
    ((OSError,), Cause.database_away),  # a TimeoutError is one
)
"""In this order: of an error, the first that it is."""


def why(error: BaseException) -> Cause:
    """Say in a word why the database did not do it."""
    if isinstance(error, DBAPIError) and error.orig is not None:
        error = error.orig.__cause__ or error
    return next((cause for kinds, cause in _CAUSES if isinstance(error, kinds)), Cause.other)


def will_pass(error: Exception, *, began: bool) -> bool:
    """Tell whether the same work may succeed later. `began`: the transaction was under way."""
    if isinstance(error, DBAPIError):  # the session's wrapping of what asyncpg raised
        return isinstance(error.orig and error.orig.__cause__, PASSING)
    # Before it began any OSError is the server's: its socket is gone, it does not answer.
    return not began or isinstance(error, PASSING)
