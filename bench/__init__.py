"""`make bench`: Tonghu against a bare Starlette + asyncpg handler running the same statements."""
