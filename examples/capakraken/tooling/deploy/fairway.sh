#!/usr/bin/env bash
# Run the Fairway that fairway.toml asks for: fairway.sh ARGUMENTS...
# It lies in an environment of its own, which is made when there is none for that version yet.
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/../.."
wanted=$(python3 -c 'import tomllib; print(tomllib.load(open("fairway.toml", "rb"))["requires"])')
place="${FAIRWAY_HOME:-${RUNNER_TEMP:-${XDG_CACHE_HOME:-$HOME/.cache}}/fairway}/$(printf '%s' "$wanted" | sha256sum | cut -c 1-16)"

if [ ! -e "$place/path/fairway" ]; then
    rm -rf "$place"
    python3 -m venv "$place"
    "$place/bin/python" -m pip install --quiet --disable-pip-version-check "fairway$wanted"
    mkdir "$place/path"
    # Only Fairway itself goes on PATH for what it starts, not the Python and pip beside it.
    ln -s ../bin/fairway "$place/path/fairway"
fi

export PATH="$place/path:$PATH"
# In place of this shell, so that a signal reaches Fairway and no one else.
exec fairway "$@"
