# The image of director and server. `npm run image` makes its context (compiled code, the packages it runs with) and
# builds it here; arguments are docker build's:
#   npm run image -- --build-arg BASE=node:24-bookworm-slim --tag ocdd
# BASE: any Debian-based image with Node 24.15 or later on its PATH. Its iptables must be of the same kind (nf_tables or
# legacy) as the host's, or the rules are written to another table than Docker's: see `iptables --version`.
ARG BASE=node:24-bookworm-slim
FROM ${BASE}

# the programs the director calls; a base image that has them all needs no network here
RUN for program in ip iptables nft arping conntrack flock; do \
      command -v "$program" >/dev/null || missing=yes; \
    done; \
    if [ -n "${missing:-}" ]; then \
      apt-get update \
      && apt-get install --yes --no-install-recommends iproute2 iptables nftables iputils-arping conntrack util-linux \
      && rm -rf /var/lib/apt/lists/*; \
    fi

COPY . /opt/ocdd-app
ENTRYPOINT ["/opt/ocdd-app/bin/ocdd"]
CMD ["--help"]
