# A system that boots with tarsier configured: what must hold until the package is purged.

retained() { timeout 10 mosquitto_sub -h 127.0.0.1 -C 1 -t "tarsier/box/$1" || true; }
status_is() { [ "$(retained "$1")" = "$2" ]; }
has_children() { [ "$(systemctl list-units --all --plain --no-legend 'tarsier-capture@*' | wc -l)" = "$1" ]; }
heard() { journalctl --quiet --unit=tarsier.service --grep="$1" >/dev/null; }
is_gone() { [ ! -d "/proc/$1" ]; }
active() { [ "$(property ActiveState tarsier.service)" = active ]; }
is_other() { [ "$(property MainPID tarsier.service)" != "$1" ] && active; } # than that daemon

# What a subscriber gets that is never away for good.
mosquitto_sub -h 127.0.0.1 --id looker --disable-clean-session --qos 1 -t 'tarsier/box/+/+/event' >/run/events &
got_event() { grep "$1" /run/events >/dev/null; }
new_event() { [ "$(wc -l </run/events)" -gt "$1" ]; }

step "boot: the daemon is active, systemd started its camera, and an event arrives"
active
[ "$(property StatusText tarsier.service)" != "" ]
daemon=$(property MainPID tarsier.service)
wait_for status_is bottle/status online
has_children 1
wait_for got_event '"type":"enter","label":"water bottle"'
no_failed_units

step "each program is its own user, and only the daemon may ask for a camera"
child=$(pidof tarsier-capture)
[ "$(stat -c %U "/proc/$daemon")" = tarsier ]
[ "$(stat -c %U "/proc/$child")" = tarsier-capture ]
[ "$(stat -c '%U %a' /run/tarsier/capture.sock)" = "tarsier 600" ]
# The camera does not see the config.
[ -f "/proc/$daemon/root/etc/tarsier/tarsier.yaml" ]
[ ! -e "/proc/$child/root/etc/tarsier/tarsier.yaml" ]

step "code that took over a camera can do nothing with it"
# The same program that root does all of it with, in that very sandbox.
echo video >/srv/video-group
chgrp video /srv/video-group
chmod 0640 /srv/video-group
others=$child
[ ! -e /opt/boottest/chroot ] || others= # what keeps cameras apart is missing there
# shellcheck disable=SC2086 # one or none
/opt/boottest/probe outside "$daemon" $others >/out/probe
mkdir -p /run/systemd/system/tarsier-capture@probe.service.d
cat >/run/systemd/system/tarsier-capture@probe.service.d/probe.conf <<end
[Service]
Type=oneshot
ExecStart=
ExecStart=/opt/boottest/probe inside $daemon $others
StandardOutput=append:/out/probe
end
systemctl daemon-reload
systemctl start tarsier-capture@probe.service
[ "$(property MainPID tarsier.service)" = "$daemon" ]

step "kill -9 of a capture process: another one is started"
kill -KILL "$child"
wait_for is_gone "$child"
wait_for pidof tarsier-capture
wait_for status_is bottle/status online
child=$(pidof tarsier-capture)

step "systemctl reload: other cameras, the same daemon"
cp /etc/tarsier/tarsier.yaml /run/one-camera.yaml
cat >>/etc/tarsier/tarsier.yaml <<'end'
  - {name: car, source: /opt/testdata/videos/car.mp4, loop: true}
  - {name: gstreamer, source: "gst:videotestsrc is-live=true ! video/x-raw,format=I420,width=640,height=480"}
end
systemctl reload tarsier.service
wait_for status_is car/status online
wait_for status_is gstreamer/status online
wait_for has_children 3
[ "$(property MainPID tarsier.service)" = "$daemon" ]

step "a capture process that hangs (SIGSTOP): its watchdog ends it, another one is started"
kill -STOP "$child"
wait_for is_gone "$child"
wait_for status_is bottle/status online

step "kill -9 of the daemon: its cameras end with it, and it comes back"
kill -KILL "$daemon"
wait_for has_children 0
wait_for status_is status offline
wait_for status_is status online
wait_for has_children 3

step "a daemon that hangs (SIGSTOP): its watchdog restarts it"
daemon=$(property MainPID tarsier.service)
kill -STOP "$daemon"
limit=60 wait_for is_other "$daemon" # WatchdogSec=20, TimeoutStopSec=10, RestartSec=5
journalctl --quiet --grep='tarsier.service: Watchdog timeout' >/dev/null
wait_for status_is status online
wait_for has_children 3

step "passwords: in no process, no message, no line of any log"
password=/etc/tarsier/mqtt.password
cp $password /run/right-password
cp $password /run/passwords
not_said() { # what is compared with is a file: an argument would be in the process list
  journalctl --no-pager --output=export >/run/said
  cat /proc/[0-9]*/cmdline /proc/[0-9]*/environ >>/run/said || true # processes end
  timeout 10 mosquitto_sub -h 127.0.0.1 -t '#' -v --retained-only -W 2 >>/run/said || true
  grep --text -q tarsier/box/info /run/said
  not grep --text -F -f /run/passwords /run/said
}
not_said
# Of a broker that refuses it, and of a camera that is away, neither.
echo wrong-moonlight | tee $password >>/run/passwords
echo hidden-sunrise >>/run/passwords
echo '  - {name: away, source: "rtsp://me:hidden-sunrise@127.0.0.1:9/stream"}' >>/etc/tarsier/tarsier.yaml
systemctl restart tarsier.service
wait_for heard 'refuses user'
wait_for heard '127.0.0.1:9'
not_said
cp /run/right-password $password
cp /run/one-camera.yaml /etc/tarsier/tarsier.yaml
systemctl restart tarsier.service
wait_for status_is status online

step "an upgrade while the broker is away: config, queue and state stay, and it restarts by itself"
systemctl stop mosquitto
dpkg-deb -R /root/tarsier.deb /run/upgrade
sed -i 's/^Version: .*/&+upgrade/' /run/upgrade/DEBIAN/control
dpkg-deb -Znone -b /run/upgrade /root/upgrade.deb
daemon=$(property MainPID tarsier.service)
apt-get install -y /root/upgrade.deb </dev/null
wait_for is_other "$daemon"
cmp /run/one-camera.yaml /etc/tarsier/tarsier.yaml
cmp /run/right-password $password
had=$(wc -l </run/events)
systemctl start mosquitto
wait_for new_event "$had"
wait_for status_is bottle/status online

step "a stop: at once, and all is left as it should be"
systemctl stop tarsier.service
[ "$(property Result tarsier.service)" = success ]
[ "$(property ExecMainStatus tarsier.service)" = 0 ]
status_is status offline
wait_for has_children 0
no_failed_units

step "of all events none is missing, and every enter has its leave"
all_there() {
  grep -o '"seq":[0-9]*' /run/events | cut -d: -f2 | sort -nu >/run/numbers
  [ "$(tail -n 1 /run/numbers)" = "$(wc -l </run/numbers)" ] && # from 1 on
    awk -F '"' '{ for (i = 1; i < NF; i++) if ($i == "id") id = $(i + 2); else if ($i == "type") type = $(i + 2)
    if (!seen[id]++) open += type == "enter" ? 1 : -1 } END { exit open != 0 }' /run/events
}
wait_for all_there

step "apt-get remove: stops it, and keeps config and state"
systemctl start tarsier.service
wait_for has_children 1
apt-get remove -y tarsier
not pidof tarsier tarsier-capture
[ -f /etc/tarsier/tarsier.yaml ]
[ -d /var/lib/tarsier/queue ]

step "apt-get purge: leaves nothing"
apt-get purge -y tarsier
rm -r /root/*.deb /etc/systemd/system/tarsier.service.d "/run/systemd/system/tarsier-capture@probe.service.d" /run/upgrade # ours
rm -rf "/etc/systemd/system/tarsier-capture@.service.d"
systemctl daemon-reload
[ -z "$(find / /run -xdev -path /opt -prune -o -iname '*tarsier*' -print)" ]
no_failed_units
