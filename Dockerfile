# syntax=docker/dockerfile:1

# Wheels are built apart, so that pip's cache and build tools stay out of the image.
FROM python:3.11-slim AS build
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
WORKDIR /source
COPY pyproject.toml README.md ./
COPY kbroker kbroker
RUN python -m venv /opt/kbroker \
 && /opt/kbroker/bin/pip install . \
 # No pip in the image; .pyc files make every start faster, also on a read-only root.
 && /opt/kbroker/bin/pip uninstall --yes pip setuptools \
 && /opt/kbroker/bin/python -m compileall -q /opt/kbroker

FROM python:3.11-slim
LABEL org.opencontainers.image.title="kbroker" \
      org.opencontainers.image.description="A Kafka-compatible broker in Python"

COPY --from=build /opt/kbroker /opt/kbroker

# Any user id works as long as its group is 0, as on OpenShift. The settings of the image are a
# file, so that every KAFKA_ variable and -o wins over them:
#   HOST    for clients outside (docker run -p 9092:9092): they are told localhost:9092
#   DOCKER  for other containers (kbroker:19092): each is told the address it used
RUN useradd --uid 1000 --gid 0 --no-create-home --home-dir /var/lib/kafka --shell /usr/sbin/nologin kbroker \
 && mkdir -p /var/lib/kafka/data /etc/kafka \
 && printf '%s\n' \
    'listeners=HOST://:9092,DOCKER://:19092' \
    'advertised.listeners=HOST://localhost:9092' \
    'listener.security.protocol.map=HOST:PLAINTEXT,DOCKER:PLAINTEXT,PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT' \
    'kbroker.admin.listener=:9644' \
    > /etc/kafka/server.properties \
 && chown -R 1000:0 /var/lib/kafka \
 && chmod -R g=u /var/lib/kafka
USER 1000:0
WORKDIR /var/lib/kafka

# A setting abc.def is the variable KAFKA_ABC_DEF. The data directory is one of them,
# so that a mounted server.properties cannot lead data past the volume.
ENV PATH=/opt/kbroker/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    KAFKA_LOG_DIRS=/var/lib/kafka/data

EXPOSE 9092 19092 9644
VOLUME /var/lib/kafka/data

# The broker itself is process 1: SIGTERM reaches it and stops it cleanly.
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=2s --timeout=3s --start-period=30s --retries=5 CMD ["kbroker", "health"]
ENTRYPOINT ["kbroker", "--config", "/etc/kafka/server.properties"]
