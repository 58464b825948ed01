# The image: one static binary on nothing, in the place of Fluentd's own image. Paths, port and user number are Fluentd's,
# so that mounts of configurations and buffer folders go on working.
#
#   docker build -t flumen .
#   docker run -p 24224:24224 -v $PWD/fluent.conf:/fluentd/etc/fluent.conf:ro flumen
ARG BUILDER=rust:1-bookworm
FROM ${BUILDER} AS build
WORKDIR /flumen
COPY . .
# A static binary that is already at prebuilt/flumen spares the compilation.
RUN [ -x prebuilt/flumen ] || .ci/build-static prebuilt
RUN mkdir -p image/usr/bin image/etc/ssl/certs image/tmp fluentd/etc fluentd/log \
    && cp prebuilt/flumen image/usr/bin/flumen \
    && cp /etc/ssl/certs/ca-certificates.crt image/etc/ssl/certs/ \
    && cp conf/default.conf fluentd/etc/fluent.conf \
    && echo 'fluent:x:999:999::/fluentd:' > image/etc/passwd \
    && echo 'fluent:x:999:' > image/etc/group \
    && chmod 1777 image/tmp

FROM scratch
COPY --from=build /flumen/image/ /
COPY --from=build --chown=999:999 /flumen/fluentd/ /fluentd/
USER 999:999
EXPOSE 24224 5140
ENTRYPOINT ["/usr/bin/flumen"]
CMD ["-c", "/fluentd/etc/fluent.conf"]
