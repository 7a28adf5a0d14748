# The API in a container: built from the lock files, run as a user without rights, on a read-only root.
ARG PYTHON=python:3.13.15-slim-trixie@sha256:7c61056e61ac89e852de05f3dc6fa51a6dd2181797bceed46aa725dd7cb2cd3b

FROM ${PYTHON} AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PIP_ROOT_USER_ACTION=ignore
WORKDIR /build
COPY requirements/runtime.txt requirements/build.txt requirements/
RUN python -m venv /venv && python -m venv /tools \
    && /venv/bin/pip install --require-hashes --no-deps --only-binary :all: -r requirements/runtime.txt \
    && /tools/bin/pip install --require-hashes --no-deps --only-binary :all: -r requirements/build.txt
COPY pyproject.toml README.md LICENSE ./
COPY api api
COPY sql sql
COPY policies policies
COPY tests/sql tests/sql
RUN /tools/bin/hatchling build -t wheel \
    && /venv/bin/pip install --no-deps --no-index dist/*.whl

FROM ${PYTHON}
RUN useradd --system --uid 10001 --user-group --no-create-home --shell /usr/sbin/nologin saas
COPY --from=build /venv /venv
ENV PATH=/venv/bin:$PATH PYTHONDONTWRITEBYTECODE=1 SAAS_API_HOST=0.0.0.0 SAAS_API_PORT=8000
USER 10001:10001
WORKDIR /tmp
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=3s --start-period=15s --retries=3 \
    CMD ["python", "-c", "import os, urllib.request as r; r.urlopen(f'http://127.0.0.1:{os.environ[\"SAAS_API_PORT\"]}/healthz', timeout=2)"]
ENTRYPOINT ["saas-api"]
CMD ["serve"]
