#!/usr/bin/env bash
# In an arm64 root that is not booted, every program run by QEMU: the package is installed, and its programs bring an event to a broker.
set -eux -o pipefail
exec 3>>/out/steps >>/out/log 2>&1
step() { printf '%3d s  %s\n' $SECONDS "$*" >&3; }
export DEBIAN_FRONTEND=noninteractive

step "apt-get install"
[ "$(uname -m)" = aarch64 ]
cp /opt/dist/tarsier.deb /root/
apt-get install -y --no-install-recommends /root/tarsier.deb

step "tarsier version --all"
tarsier version --all >&3

step "a video, to an event that arrives at a broker"
mosquitto -d -p 1883
mosquitto_sub -h 127.0.0.1 -C 1 -W 150 -t 'tarsier/box/bottle/frame/event' >/run/event &
subscriber=$!
install -d -o tarsier /run/queue
setpriv --reuid=tarsier --regid=tarsier --clear-groups tarsier run --config /opt/boottest/arm64.yaml &
daemon=$!
wait $subscriber
cat /run/event >&3
grep '"type":"enter","label":"water bottle"' /run/event

step "a stop"
kill $daemon
wait $daemon
step "purge"
apt-get purge -y tarsier
