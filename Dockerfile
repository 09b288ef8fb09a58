# BASE: any Debian-based image with Node 24.15 or later on its PATH.
ARG BASE=node:24-bookworm-slim
FROM ${BASE}
RUN apt-get update \
 && apt-get install --yes --no-install-recommends iproute2 iptables iputils-arping conntrack util-linux \
 && rm -rf /var/lib/apt/lists/*
WORKDIR /opt/ocdd-app
COPY package.json package-lock.json ./
RUN npm ci --omit=dev --ignore-scripts
COPY bin bin
COPY dist dist
COPY templates templates
ENTRYPOINT ["/opt/ocdd-app/bin/ocdd"]
