# The program `windlass` with everything it can do on one machine: docker build -t windlass:0.1.0 .
# Another base will do that has Python 3.11 or newer with pip, as `python`: --build-arg BASE=…
ARG BASE=python:3.11-slim

FROM ${BASE} AS build
WORKDIR /source
COPY . .
RUN python -m pip wheel --no-cache-dir --no-deps --wheel-dir /wheels .

FROM ${BASE}
COPY --from=build /wheels /wheels
RUN python -m pip install --no-cache-dir "$(echo /wheels/windlass-*.whl)[up]" && rm -r /wheels \
    && install -d -o 65532 -g 65532 /var/lib/windlass
# A number, so that a cluster can see that it is not root.
USER 65532:65532
WORKDIR /var/lib/windlass
ENV PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
ENTRYPOINT ["windlass"]
CMD ["run"]
