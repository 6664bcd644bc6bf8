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

drop_in() { # unit, text: what `systemctl edit` does
  mkdir -p "/run/systemd/system/$1.d"
  printf '[Service]\n%s\n' "$2" >"/run/systemd/system/$1.d/check.conf"
  systemctl daemon-reload
}
heard() { journalctl --quiet --unit=tarsier.service --grep="$1" >/dev/null; }

# The daemon's broker wants a password, which only root may read. What is compared with is a file: an argument would be in the
# process list.
password=/etc/tarsier/mqtt.password
head -c 18 /dev/urandom | base64 >$password
chmod 0600 $password
mosquitto_passwd -b -c /run/mosquitto.passwd tarsier "$(cat $password)"
mosquitto -d -c /opt/tarsier/mosquitto.conf
drop_in tarsier.service "LoadCredential=mqtt:$password"
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

# Code that took over a camera can do nothing with it: the same program that root does all of it with, in that very sandbox.
echo video >/srv/video-group
chgrp video /srv/video-group
chmod 0640 /srv/video-group
others=$child
[ ! -e /opt/tarsier/chroot ] || others= # what keeps cameras apart is missing there
/opt/tarsier/probe outside "$daemon" $others >/out/probe
drop_in tarsier-capture@probe.service "Type=oneshot
ExecStart=
ExecStart=/opt/tarsier/probe inside $daemon $others
StandardOutput=append:/out/probe"
systemctl start tarsier-capture@probe.service
[ "$(property MainPID tarsier.service)" = "$daemon" ]

# A reload brings other cameras, and the daemon stays.
cat >>/etc/tarsier/tarsier.yaml <<'end'
  - {name: car, source: /opt/testdata/videos/car.mp4, loop: true}
  - {name: gstreamer, source: "gst:videotestsrc is-live=true ! video/x-raw,format=I420,width=640,height=480"}
end
systemctl reload tarsier.service
wait_for status_is car/status online
wait_for status_is gstreamer/status online
wait_for has_children 3
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
wait_for has_children 3

# Who looks finds the password nowhere: in no process, no message, no line of any log.
not_said() {
  journalctl --no-pager --output=export >/run/said
  cat /proc/[0-9]*/cmdline /proc/[0-9]*/environ >>/run/said
  timeout 10 mosquitto_sub -h 127.0.0.1 -t '#' -v --retained-only -W 2 >>/run/said || true
  grep --text -q tarsier/box/info /run/said
  ! grep --text -F -f $password /run/said
}
not_said
# One that is refused neither.
echo wrong-moonlight >$password
systemctl restart tarsier.service
wait_for heard 'refuses user'
not_said
wait_for has_children 3

# It stops at once and well, and leaves nothing behind.
systemctl stop tarsier.service
[ "$(property Result tarsier.service)" = success ]
[ "$(property ExecMainStatus tarsier.service)" = 0 ]
status_is status offline
wait_for has_children 0
[ -z "$(systemctl list-units --failed --plain --no-legend 'tarsier*')" ]
