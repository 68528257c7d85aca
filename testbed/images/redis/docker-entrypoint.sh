#!/bin/sh
# The public redis image's entrypoint in short.
set -e

if [ "${1#-}" != "$1" ] || [ "${1%.conf}" != "$1" ]; then set -- redis-server "$@"; fi
if [ "$1" = redis-server ]; then
    if [ "$(id -u)" = 0 ]; then
        chown redis:redis /data
        exec setpriv --reuid=redis --regid=redis --clear-groups "$0" "$@"
    fi
    # The public image is built so that other containers may connect without more ado.
    set -- "$@" --protected-mode no
fi
exec "$@"
