# What must hold in a booted system, step by step.

property() { systemctl show --property="$1" --value "$2"; }
retained() { timeout 10 mosquitto_sub -h 127.0.0.1 -C 1 -t "tarsier/box/$1" || true; }
wait_for() { # command..., for at most 30 s
  tries=0
  until "$@"; do
    tries=$((tries + 1))
    [ $tries -lt 150 ]
    sleep 0.2
  done
}
status_is() { [ "$(retained "$1")" = "$2" ]; }
children() { systemctl list-units --all --plain --no-legend 'tarsier-capture@*' | wc -l; }
has_children() { [ "$(children)" = "$1" ]; }

mosquitto -d -c /opt/tarsier/mosquitto.conf
cp /opt/tarsier/tarsier.yaml /etc/tarsier/

# It starts, says READY, and systemd starts a camera for it.
systemctl start tarsier.service
[ "$(property ActiveState tarsier.service)" = active ]
[ "$(property StatusText tarsier.service)" != "" ]
daemon=$(property MainPID tarsier.service)
wait_for status_is bottle/status online
has_children 1

# Each is its own user, and only the daemon may ask for a camera.
child=$(pidof tarsier-capture)
[ "$(stat -c %U "/proc/$daemon")" = tarsier ]
[ "$(stat -c %U "/proc/$child")" = tarsier-capture ]
[ "$(stat -c '%U %a' /run/tarsier/capture.sock)" = "tarsier 600" ]
# The camera does not see the config.
[ -f "/proc/$daemon/root/etc/tarsier/tarsier.yaml" ]
[ ! -e "/proc/$child/root/etc/tarsier/tarsier.yaml" ]

# A reload brings another camera, and the daemon stays.
echo '  - {name: car, source: /opt/testdata/videos/car.mp4, loop: true}' >>/etc/tarsier/tarsier.yaml
systemctl reload tarsier.service
wait_for status_is car/status online
has_children 2
[ "$(property MainPID tarsier.service)" = "$daemon" ]

# A camera that hangs so badly that it does not see its connection end is ended by its watchdog, and another one started.
kill -STOP "$child"
is_gone() { ! [ -d "/proc/$1" ]; }
wait_for is_gone "$child"
wait_for status_is bottle/status online

# If the daemon dies its cameras go with it, and it comes back.
kill -KILL "$daemon"
wait_for has_children 0
wait_for status_is status offline
wait_for status_is status online
wait_for has_children 2

# It stops at once and well, and leaves nothing behind.
systemctl stop tarsier.service
[ "$(property Result tarsier.service)" = success ]
[ "$(property ExecMainStatus tarsier.service)" = 0 ]
status_is status offline
wait_for has_children 0
[ -z "$(systemctl list-units --failed --plain --no-legend 'tarsier*')" ]
