# The program `windlass` with everything it can do on one machine: docker build -t windlass:0.1.0 .
FROM python:3.11-slim AS build
WORKDIR /source
COPY . .
RUN pip wheel --no-cache-dir --no-deps --wheel-dir /wheels .

FROM python:3.11-slim
COPY --from=build /wheels /wheels
RUN pip install --no-cache-dir "$(echo /wheels/windlass-*.whl)[up]" && rm -r /wheels \
    && install -d -o 65532 -g 65532 /var/lib/windlass
# A number, so that a cluster can see that it is not root.
USER 65532:65532
WORKDIR /var/lib/windlass
ENV PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
ENTRYPOINT ["windlass"]
CMD ["run"]
