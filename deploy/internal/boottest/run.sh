#!/usr/bin/env bash
# In a booted system: runs the check that is bound to /opt/check.sh, which fails at the first command that does, and ends the
# system with its result. What it did goes to /out/log, its steps to /out/steps.
exec 3>>/out/steps >>/out/log 2>&1
export DEBIAN_FRONTEND=noninteractive

step() { printf '%3d s  %s\n' $SECONDS "$*" >&3; }
not() { ! "$@"; } # the shell goes on after a ! that fails
property() { systemctl show --property="$1" --value "$2"; }
no_failed_units() { [ -z "$(systemctl list-units --failed --plain --no-legend)" ]; }
wait_for() { # command..., for at most 30 s, or $limit
  local - end=$((SECONDS + ${limit:-30}))
  set +x
  until "$@"; do
    [ $SECONDS -lt $end ] || { echo "not so in time: $*"; exit 1; }
    sleep 0.2
  done
}

(
  set -eux -o pipefail
  # shellcheck source=/dev/null
  . /opt/check.sh
)
result=$?
[ $result = 0 ] || journalctl --no-pager --unit='tarsier*' --unit=mosquitto >/out/journal
systemctl --no-block exit $result
