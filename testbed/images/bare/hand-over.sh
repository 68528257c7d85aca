#!/bin/sh
# What the bed handed over (/fairway, read-only) is put in place: sshd's key, and the administrator's.
set -eu
install -m 600 /fairway/ssh_host_ed25519_key /etc/ssh/ssh_host_ed25519_key
install -d -m 700 /root/.ssh
install -m 600 /fairway/admin_authorized_keys /root/.ssh/authorized_keys
