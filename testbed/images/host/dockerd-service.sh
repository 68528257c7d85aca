#!/bin/bash
# The host's Docker daemon: dockerd-service.sh start | stop | kill | wait
set -euo pipefail

pid() { cat /run/docker.pid 2>/dev/null || true; }
alive() { [ -n "$(pid)" ] && [ "$(cat "/proc/$(pid)/comm" 2>/dev/null)" = dockerd ]; }

gone() {
    for _ in $(seq 600); do
        alive || return 0
        sleep 0.05
    done
    echo "dockerd is still running after 30 s" >&2
    return 1
}

case "${1:-}" in
    start)
        if alive; then exit 0; fi
        rm -f /run/docker.pid /run/docker/containerd/containerd.pid
        setsid dockerd >>/var/log/dockerd.log 2>&1 </dev/null &
        ;;
    stop)
        alive || exit 0
        kill -TERM "$(pid)"
        gone
        ;;
    kill)
        alive || exit 0
        # The containers' own shims live on, as they do when a daemon crashes.
        kill -KILL "$(pid)"
        gone
        pkill -KILL -x containerd || true
        ;;
    wait)
        for _ in $(seq 1200); do
            if docker version --format '{{.Server.Version}}' >/dev/null 2>&1; then exit 0; fi
            sleep 0.05
        done
        echo "dockerd does not answer after 60 s" >&2
        tail -n 20 /var/log/dockerd.log >&2
        exit 1
        ;;
    *)
        echo "usage: dockerd-service.sh start | stop | kill | wait" >&2
        exit 2
        ;;
esac
