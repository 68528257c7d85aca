#!/bin/bash
# What the bed handed over (/fairway, read-only) is put in place, before sshd and dockerd start.
set -euo pipefail
install -m 600 /fairway/ssh_host_ed25519_key /etc/ssh/ssh_host_ed25519_key
install -d -m 700 -o deploy -g deploy /home/deploy/.ssh
install -m 600 -o deploy -g deploy /fairway/authorized_keys /home/deploy/.ssh/authorized_keys
# A bed that was left running by an older checkout hands no administrator's key over.
if [ -f /fairway/admin_authorized_keys ]; then
    install -d -m 700 /root/.ssh
    install -m 600 /fairway/admin_authorized_keys /root/.ssh/authorized_keys
fi
mkdir -p /etc/docker
cp /fairway/daemon.json /etc/docker/daemon.json
if [ -d /fairway/certs.d ]; then cp -r /fairway/certs.d /etc/docker/; fi
