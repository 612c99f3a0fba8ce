# One image for web, worker and migrations: `docker build -t tonghu .`
FROM python:3.11-slim-bookworm AS packages
RUN pip install --no-cache-dir uv==0.13.9 && python -m venv --without-pip /opt/venv
# requirements-otel.lock: with what sends traces
ARG LOCK=requirements.lock
COPY ${LOCK} /tmp/requirements.lock
RUN uv pip install --no-cache --python /opt/venv/bin/python --require-hashes \
    --compile-bytecode -r /tmp/requirements.lock

FROM python:3.11-slim-bookworm
RUN useradd --uid 10001 --no-create-home --shell /usr/sbin/nologin tonghu
COPY --from=packages /opt/venv /opt/venv
WORKDIR /srv
COPY alembic.ini ./
COPY alembic ./alembic
COPY app ./app
ENV PATH=/opt/venv/bin:$PATH PYTHONPATH=/srv PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 \
    TONGHU_ENVIRONMENT=production
USER 10001
EXPOSE 8000 8010
STOPSIGNAL SIGTERM
ENTRYPOINT ["python", "-m", "app.cli"]
CMD ["serve", "--host", "0.0.0.0"]
