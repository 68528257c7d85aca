#!/usr/bin/env bash
# Prepare the testbed's images: pulled where a registry can be reached, built where not.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
link_docker || fail "no docker client with Compose 2.24 or newer and buildx; run: scripts/docker.sh ensure"
cd "$ROOT"
exec .venv/bin/python -u -m testbed.images "$@"
