# The application image: one image, every role. Production runs it with docker-compose.yml.

FROM python:3.13-slim AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
WORKDIR /src
# Packages first: they change less often than the code. Each is checked against its pinned hash.
COPY constraints.txt constraints-dev.txt ./
RUN python -m venv /opt/clytie && /opt/clytie/bin/pip install --require-hashes -r constraints.txt
RUN python -m venv /opt/build && /opt/build/bin/pip install --require-hashes -r constraints-dev.txt
COPY . .
RUN /opt/build/bin/python -m hatchling build --target wheel --directory /dist \
 && /opt/clytie/bin/pip install --no-deps --no-index /dist/*.whl

FROM python:3.13-slim
RUN useradd --system --uid 10001 --home-dir /var/lib/clytie --create-home clytie
COPY --from=build /opt/clytie /opt/clytie
ENV PATH=/opt/clytie/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    CLYTIE_VAR=/var/lib/clytie \
    CLYTIE_HOST=0.0.0.0 \
    CLYTIE_WEB__UPLOAD_FOLDER=/var/lib/clytie/spool/imports
USER clytie
WORKDIR /var/lib/clytie
VOLUME /var/lib/clytie
EXPOSE 8025 8026 8027
ENTRYPOINT ["clytie"]
CMD ["serve", "--role", "web"]
