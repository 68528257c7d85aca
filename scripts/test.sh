#!/usr/bin/env bash
# Run the tests, pytest's summary last: test.sh [PYTEST ARGUMENTS...]
# Without arguments: everything. The example's own tests are one of the host tests.
# Two processes share the tests file by file, each with a testbed of its own: most of a host test is waiting.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
cd "$ROOT"

scripts/images.sh
case "${*:-tests/host}" in
    *tests/host* | *tests/browser*) scripts/test-tools.sh ;;
    *) scripts/test-tools.sh unit ;;
esac
if [ $# = 0 ]; then
    set -- tests/unit
    for directory in tests/browser tests/host tests/faults; do
        if [ -d "$directory" ]; then set -- "$@" "$directory"; fi
    done
fi
say "running the tests: $*"
processes=2
# One that was left running is one for all.
if [ -n "${FAIRWAY_TESTBED:-}" ]; then processes=0; fi
exec .venv/bin/python -m pytest --numprocesses "$processes" --dist loadfile "$@"
