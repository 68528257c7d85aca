# shellcheck shell=bash
# What the scripts share. Sourced, never run.

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
STATE="$ROOT/.testbed"
# Not in the checkout: one machine has one daemon, whichever checkout started it.
RUN_STATE=/run/fairway-dev
# shellcheck disable=SC2034 # used by the scripts that source this file
DOCKERD_PID="$RUN_STATE/dockerd.pid"

say() { printf '%s\n' "fairway-dev: $*"; }
fail() {
    printf '%s\n' "fairway-dev: $*" >&2
    exit 1
}

as_root() {
    if [ "$(id -u)" = 0 ]; then "$@"; else sudo -n "$@"; fi
}

can_be_root() { [ "$(id -u)" = 0 ] || sudo -n true 2>/dev/null; }

apt_install() { # packages...
    local log
    log=$(mktemp)
    # shellcheck disable=SC2016 # the inner shell's arguments
    if ! as_root env DEBIAN_FRONTEND=noninteractive sh -c '
            apt-get update -qq && apt-get install -y -qq --no-install-recommends "$@"
        ' sh "$@" >"$log" 2>&1; then
        tail -n 20 "$log" >&2
        fail "apt could not install: $* (whole output: $log)"
    fi
    rm -f "$log"
}

# $1 is at least version $2 (both like 2.24.1; a leading v and a suffix are ignored)
at_least() {
    local have=${1#v}
    have=${have%%[-+]*}
    [ -n "$have" ] && [ "$(printf '%s\n%s\n' "$2" "$have" | sort -V | head -n 1)" = "$2" ]
}

# A docker client with compose >= 2.24 and buildx; the distribution's own is asked first.
find_docker() {
    local candidate
    while read -r candidate; do
        [ -x "$candidate" ] || continue
        at_least "$("$candidate" compose version --short 2>/dev/null)" 2.24 || continue
        "$candidate" buildx version >/dev/null 2>&1 || continue
        printf '%s\n' "$candidate"
        return 0
    done < <(printf '/usr/bin/docker\n'; type -ap docker)
    return 1
}

# Put that client, and only that, in a directory of ours that goes first on PATH.
link_docker() {
    local docker
    docker=$(find_docker) || return 1
    mkdir -p "$STATE/bin"
    if [ "$(readlink "$STATE/bin/docker" 2>/dev/null)" != "$docker" ]; then
        ln -sfn "$docker" "$STATE/bin/docker"
    fi
    PATH="$STATE/bin:$PATH"
    export PATH
}

daemon_answers() { timeout 10 docker version --format '{{.Server.Version}}' >/dev/null 2>&1; }

# The process is alive and is what we think it is, not a later one with the same number.
is_running() { # pid, name
    # One that has ended and that nobody has waited for keeps its number: where pid 1 is no init, for good.
    [ -n "$1" ] && [ "$(cat "/proc/$1/comm" 2>/dev/null)" = "$2" ] && ! grep -q '^State:[[:space:]]*Z' "/proc/$1/status" 2>/dev/null
}

# The Debian mirror this machine uses: from deb822 or one-line sources.
debian_mirror() {
    local uri
    uri=$(
        {
            sed -n 's/^URIs:[[:space:]]*\([^[:space:]]*\).*/\1/p' /etc/apt/sources.list.d/*.sources
            sed -n 's/^deb[[:space:]]\+\(\[[^]]*\][[:space:]]*\)\?\([^[:space:]]*\).*/\2/p' \
                /etc/apt/sources.list /etc/apt/sources.list.d/*.list
        } 2>/dev/null | grep -E '^https?://.*/debian/?$' | head -n 1
    ) || true
    [ -n "$uri" ] || fail "apt's sources name no Debian mirror ending in /debian; add one, or install Docker by hand"
    printf '%s\n' "$uri"
}
