#!/usr/bin/env bash
# Make .venv with exactly what requirements.lock names, and the package in it.
# setup.sh        quick and quiet when nothing has changed
# setup.sh lock   write requirements.lock anew, and that of the tests' error tracker
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
cd "$ROOT"

UV_VERSION=0.9.7
STAMP=.venv/.fairway-stamp

fingerprint() {
    { cat requirements.lock pyproject.toml scripts/setup.sh; printf '%s\n' "$ROOT"; } | sha256sum | cut -d ' ' -f 1
}

find_python() {
    local name
    for name in python3.13 python3.12 python3.11 python3.14 python3; do
        if "$name" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; then
            "$name" -c 'import sys; print(sys.executable)'
            return 0
        fi
    done
    return 1
}

# Install what is missing of a few small programs, where that is ours to do; say what otherwise.
get_programs() {
    local packages=()
    find_python >/dev/null || packages+=(python3 python3-venv)
    # venv can be there without the part that makes one.
    if python=$(find_python) && ! "$python" -c 'import ensurepip' 2>/dev/null; then packages+=(python3-venv); fi
    command -v git >/dev/null || packages+=(git)
    command -v ssh-keygen >/dev/null || packages+=(openssh-client)
    command -v openssl >/dev/null || packages+=(openssl)
    [ ${#packages[@]} -gt 0 ] || return 0
    if ! command -v apt-get >/dev/null || ! can_be_root; then
        fail "please install what Debian calls: ${packages[*]}"
    fi
    say "installing: ${packages[*]}"
    apt_install ca-certificates "${packages[@]}"
}

get_uv() { # python
    UV="$STATE/uv/bin/uv"
    [ "$("$UV" --version 2>/dev/null | cut -d ' ' -f 2)" = "$UV_VERSION" ] && return 0
    say "installing uv $UV_VERSION into .testbed/uv"
    rm -rf "$STATE/uv"
    mkdir -p "$STATE"
    "$1" -m venv "$STATE/uv" >/dev/null
    "$STATE/uv/bin/python" -m pip install --quiet --disable-pip-version-check --no-warn-script-location "uv==$UV_VERSION"
}

if [ "${1:-}" != lock ] && [ -x .venv/bin/fairway ] && [ "$(cat "$STAMP" 2>/dev/null)" = "$(fingerprint)" ]; then
    exit 0
fi

get_programs
python=$(find_python) || fail "Python 3.11 or newer is needed (Debian: apt-get install python3 python3-venv)"
get_uv "$python"

compile() { # OPTIONS AND SOURCES...
    "$UV" pip compile --quiet --universal --python-version 3.11 --upgrade --generate-hashes \
        --no-emit-index-url --no-emit-find-links --custom-compile-command "make lock" "$@"
}

if [ "${1:-}" = lock ]; then
    compile --all-extras --group dev --output-file requirements.lock pyproject.toml scripts/build-requirements.in
    compile --output-file scripts/bugsink/requirements.lock scripts/bugsink/requirements.in
    say "wrote requirements.lock and scripts/bugsink/requirements.lock"
    exit 0
fi

say "preparing .venv with $("$python" --version)"
if ! [ -x .venv/bin/python ] || ! .venv/bin/python -c 'import sys; sys.exit(sys.version_info < (3, 11))'; then
    "$UV" venv --quiet --python "$python" --clear .venv
fi
"$UV" pip sync --quiet --python .venv/bin/python --require-hashes requirements.lock
"$UV" pip install --quiet --python .venv/bin/python --no-deps --no-build-isolation --editable .
fingerprint >"$STAMP"
