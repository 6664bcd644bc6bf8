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
is_online() { [ "$(retained "$1/status")" = online ]; }
children() { systemctl list-units --all --plain --no-legend 'tarsier-capture@*' | wc -l; }
has_children() { [ "$(children)" = "$1" ]; }

mosquitto -d -c /opt/tarsier/mosquitto.conf
cp /opt/tarsier/tarsier.yaml /etc/tarsier/

# It starts, says READY, and systemd starts a camera for it.
systemctl start tarsier.service
[ "$(property ActiveState tarsier.service)" = active ]
[ "$(property StatusText tarsier.service)" != "" ]
daemon=$(property MainPID tarsier.service)
wait_for is_online bottle
has_children 1

# Each is its own user, and only the daemon may ask for a camera.
child=$(pidof tarsier-capture)
[ "$(stat -c %U "/proc/$daemon")" = tarsier ]
[ "$(stat -c %U "/proc/$child")" = tarsier-capture ]
[ "$(stat -c '%U %a' /run/tarsier/capture.sock)" = "tarsier 600" ]
# The camera sees neither config nor state.
[ "$(nsenter --target "$child" --mount ls -A /etc/tarsier /var/lib/tarsier | grep -c yaml)" = 0 ]

# A reload brings another camera, and the daemon stays.
echo '  - {name: car, source: /opt/testdata/videos/car.mp4, loop: true}' >>/etc/tarsier/tarsier.yaml
systemctl reload tarsier.service
wait_for is_online car
has_children 2
[ "$(property MainPID tarsier.service)" = "$daemon" ]

# It stops at once and well, and leaves nothing behind.
systemctl stop tarsier.service
[ "$(property Result tarsier.service)" = success ]
[ "$(property ExecMainStatus tarsier.service)" = 0 ]
[ "$(retained status)" = offline ]
wait_for has_children 0
[ -z "$(systemctl list-units --failed --plain --no-legend 'tarsier*')" ]
