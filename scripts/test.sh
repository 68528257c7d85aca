#!/usr/bin/env bash
# Run the tests, pytest's summary last: test.sh [PYTEST ARGUMENTS...]
# Without arguments: everything, the quick tests first. The example's own tests are one of the host tests.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
cd "$ROOT"

scripts/images.sh
if [ $# = 0 ]; then
    set -- tests/unit
    for directory in tests/host tests/faults; do
        if [ -d "$directory" ]; then set -- "$@" "$directory"; fi
    done
fi
say "running the tests: $*"
exec .venv/bin/python -m pytest "$@"
