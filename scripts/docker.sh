#!/usr/bin/env bash
# Make Docker usable for the testbed: docker.sh ensure | stop | status
#
# A daemon that already answers, with Compose 2.24 or newer and buildx, is used as it
# is and never restarted. Otherwise Debian's packages are installed and a daemon is
# started, which `stop` ends again: that one only.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

LOG=/var/log/fairway-dev-dockerd.log
PACKAGES="docker.io docker-cli docker-compose docker-buildx"

started_by_us() {
    [ -f "$DOCKERD_PID" ] && is_running "$(cat "$DOCKERD_PID")" dockerd
}

# Debian 12's own Compose is too old: take Docker from Debian 13, and nothing else.
add_trixie() {
    [ -f /etc/apt/sources.list.d/fairway-trixie.sources ] && return 0
    local mirror
    mirror=$(debian_mirror)
    say "adding $mirror trixie to apt, pinned to 100 (/etc/apt/sources.list.d/fairway-trixie.sources)"
    as_root tee /etc/apt/preferences.d/fairway-trixie >/dev/null <<-END
		Package: *
		Pin: release n=trixie
		Pin-Priority: 100
	END
    as_root tee /etc/apt/sources.list.d/fairway-trixie.sources >/dev/null <<-END
		Types: deb
		URIs: $mirror
		Suites: trixie
		Components: main
		Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg
	END
}

install_packages() { # names...
    local suffix="" package names=()
    # shellcheck source=/dev/null
    . /etc/os-release
    case "${ID:-}:${VERSION_ID:-99}" in
        debian:12) suffix=/trixie; add_trixie ;;
        debian:1[3-9] | debian:99) ;;
        *) fail "Docker with Compose 2.24 or newer and buildx is needed; on ${PRETTY_NAME:-this system} please install Docker Engine yourself" ;;
    esac
    can_be_root || fail "installing Docker needs root, or sudo without a password"
    for package in "$@"; do names+=("$package$suffix"); done
    say "installing: ${names[*]} iptables"
    apt_install "${names[@]}" iptables
}

installed() { dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null | grep -qx installed; }

start_daemon() {
    can_be_root || fail "starting the Docker daemon needs root, or sudo without a password"
    as_root mkdir -p "$RUN_STATE"
    if [ -d /run/systemd/system ]; then
        say "starting Docker with systemctl"
        as_root systemctl start docker.service
    else
        if cat /proc/[0-9]*/comm 2>/dev/null | grep -qx dockerd; then
            fail "a Docker daemon is running but does not answer; it is not ours to restart (try: docker info)"
        fi
        say "starting dockerd (log: $LOG)"
        as_root mkdir -p "$RUN_STATE/users"
        as_root chmod 1777 "$RUN_STATE/users"
        # shellcheck disable=SC2024
        as_root sh -c "setsid dockerd >>$LOG 2>&1 </dev/null & echo \$! >$DOCKERD_PID.new && mv $DOCKERD_PID.new $DOCKERD_PID"
    fi
    for _ in $(seq 300); do
        daemon_answers && return 0
        if [ ! -d /run/systemd/system ] && ! started_by_us; then
            tail -n 15 "$LOG" >&2
            fail "dockerd ended at once (whole log: $LOG)"
        fi
        sleep 0.2
    done
    fail "dockerd does not answer after 60 s (log: $LOG)"
}

ensure() {
    if link_docker && daemon_answers; then
        return 0
    fi
    if ! link_docker; then
        if docker version --format '{{.Server.Version}}' >/dev/null 2>&1; then
            # Touching the packages of a running daemon could restart it, and with it other people's containers.
            if installed docker.io || installed docker-ce || installed podman-docker; then
                fail "Docker runs here, but without Compose 2.24 or newer and buildx; please install its compose and buildx plugins"
            fi
            install_packages docker-cli docker-compose docker-buildx
        else
            # shellcheck disable=SC2086
            install_packages $PACKAGES
        fi
        hash -r
        link_docker || fail "Compose 2.24 and buildx are still missing after the installation"
    fi
    daemon_answers || { command -v dockerd >/dev/null && start_daemon; } ||
        fail "no Docker daemon answers, and there is no dockerd to start"
    say "Docker $(docker version --format '{{.Server.Version}}'), Compose $(docker compose version --short) ready"
}

stop() {
    if ! started_by_us; then
        say "no Docker daemon of ours is running"
        return 0
    fi
    if ! can_be_root; then
        say "the dockerd that was started for this is root's to stop; it is left running"
        return 0
    fi
    local pid
    pid=$(cat "$DOCKERD_PID")
    say "stopping the dockerd we started (process $pid)"
    as_root kill -TERM "$pid"
    for _ in $(seq 300); do
        if ! is_running "$pid" dockerd; then
            as_root rm -f "$DOCKERD_PID" "$RUN_STATE/borrowed"
            return 0
        fi
        sleep 0.1
    done
    fail "dockerd (process $pid) has not ended after 30 s"
}

case "${1:-}" in
    ensure) ensure ;;
    stop) stop ;;
    status)
        link_docker || fail "no docker client with Compose 2.24 or newer and buildx"
        daemon_answers || fail "no Docker daemon answers"
        if started_by_us; then say "running, started by us"; else say "running, not ours"; fi
        ;;
    *) fail "usage: docker.sh ensure | stop | status" ;;
esac
