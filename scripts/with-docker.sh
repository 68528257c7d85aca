#!/usr/bin/env bash
# Run a command with Docker there, and leave nothing running: with-docker.sh COMMAND...
#
# A dockerd that had to be started for this is stopped at the end, unless somebody
# else has come to use it meanwhile. One that was there before is left as it is.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

[ $# -gt 0 ] || fail "usage: with-docker.sh COMMAND..."

was_there=no
if link_docker && daemon_answers; then was_there=yes; fi
"$ROOT/scripts/docker.sh" ensure
link_docker
if [ "$was_there" = no ] && [ -f "$DOCKERD_PID" ]; then
    as_root touch "$RUN_STATE/borrowed"
    say "it is stopped again at the end"
fi
# Everyone who runs a command this way is listed; the last one out turns off the light.
if [ -d "$RUN_STATE/users" ]; then : >"$RUN_STATE/users/$$"; fi
FAIRWAY_RUN="run-$$-$(date +%s)"
export FAIRWAY_RUN
child=

# shellcheck disable=SC2317,SC2329 # called by the trap
others_use_it() {
    local user
    for user in "$RUN_STATE"/users/*; do
        [ -e "$user" ] || continue
        if kill -0 "$(basename "$user")" 2>/dev/null || [ -d "/proc/$(basename "$user")" ]; then return 0; fi
        rm -f "$user"
    done
    return 1
}

# shellcheck disable=SC2317,SC2329
clean_up() {
    trap '' INT TERM HUP
    # The command removes what it made. This is for one that was killed.
    local name
    # A bed of its own for each process that shared the tests.
    for name in $(docker ps -a --filter label=dev.fairway.testbed.run --format '{{.Label "dev.fairway.testbed.run"}}' \
            2>/dev/null | grep -E "^$FAIRWAY_RUN(-|$)" | sort -u); do
        [ -x "$ROOT/.venv/bin/python" ] || break
        say "removing what the command left running"
        (cd "$ROOT" && .venv/bin/python -m testbed down "$name") || true
    done
    rm -f "$RUN_STATE/users/$$"
    if [ -f "$RUN_STATE/borrowed" ] && ! others_use_it; then
        # Said at the start already: the last lines are the command's own.
        "$ROOT/scripts/docker.sh" stop >/dev/null || true
    fi
}
trap clean_up EXIT

# However this is asked to end, the command is interrupted, once, and may tidy up. It
# has a process group of its own: otherwise it would hear a Ctrl-C a second time.
# shellcheck disable=SC2317,SC2329
interrupt() { [ -z "$child" ] || kill -INT "$child" 2>/dev/null || true; }
trap interrupt INT TERM HUP

set -m
"$@" </dev/null &
child=$!
# wait returns early when a signal is trapped: ask again until the command has really ended
while :; do
    code=0
    wait "$child" || code=$?
    kill -0 "$child" 2>/dev/null || break
done
exit "$code"
