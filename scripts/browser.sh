#!/usr/bin/env bash
# Have a browser for the example's own tests in one: this machine's, or else Debian's Chromium.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

for name in chromium google-chrome chromium-browser; do
    if command -v "$name" >/dev/null; then exit 0; fi
done
if ! command -v apt-get >/dev/null || ! can_be_root; then
    fail "please install Chromium (Debian: apt-get install chromium): the example is tested in a browser"
fi
say "installing: chromium"
apt_install chromium
