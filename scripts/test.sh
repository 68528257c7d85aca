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
processes=2
if [ $# = 0 ]; then
    # First what needs no container: a browser gives up what it loads when the machine's networks change.
    say "running the tests: tests/unit tests/browser"
    .venv/bin/python -m pytest --numprocesses "$processes" --dist loadfile tests/unit tests/browser
    set -- tests/host tests/faults
fi
say "running the tests: $*"
# One that was left running is one for all.
if [ -n "${FAIRWAY_TESTBED:-}" ]; then processes=0; fi
exec .venv/bin/python -m pytest --numprocesses "$processes" --dist loadfile "$@"
