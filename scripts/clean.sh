#!/usr/bin/env bash
# Remove everything the testbed made, and stop a dockerd that was started for it.
# Packages that were installed stay: see apt-get remove.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
cd "$ROOT"

if link_docker; then
    scripts/with-docker.sh .venv/bin/python -m testbed clean
    scripts/docker.sh stop
else
    say "there is no Docker here to clean up"
fi
