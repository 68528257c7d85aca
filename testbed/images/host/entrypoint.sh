#!/bin/bash
# Boot: what the bed handed over (/fairway, read-only) is put in place, then sshd and
# dockerd are started, once. Neither is started again when it ends: a test that kills
# one wants it dead. On SIGTERM both are stopped in order, as a shutdown would.
set -euo pipefail

shut_down() {
    trap '' TERM INT
    /usr/local/sbin/dockerd-service.sh stop || true
    pkill -TERM -x sshd || true
    exit 0
}
trap shut_down TERM INT

install -m 600 /fairway/ssh_host_ed25519_key /etc/ssh/ssh_host_ed25519_key
install -d -m 700 -o deploy -g deploy /home/deploy/.ssh
install -m 600 -o deploy -g deploy /fairway/authorized_keys /home/deploy/.ssh/authorized_keys
# A bed that was left running by an older checkout hands no administrator's key over.
if [ -f /fairway/admin_authorized_keys ]; then
    install -d -m 700 /root/.ssh
    install -m 600 /fairway/admin_authorized_keys /root/.ssh/authorized_keys
fi
mkdir -p /etc/docker /run/sshd
cp /fairway/daemon.json /etc/docker/daemon.json
if [ -d /fairway/certs.d ]; then cp -r /fairway/certs.d /etc/docker/; fi
rm -f /var/log/dockerd.log

/usr/sbin/sshd
/usr/local/sbin/dockerd-service.sh start

# A shell runs its traps only between commands, except in wait.
sleep infinity &
while :; do wait $! || true; done
