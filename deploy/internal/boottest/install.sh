# The package is installed and configured, in a system that has never had it.

step "before: no unit has failed"
no_failed_units

step "apt-get install: enabled, but nothing starts without a config"
cp /opt/dist/tarsier.deb /root/
apt-get install -y /root/tarsier.deb | tee /run/installed
grep 'sudo tarsier setup' /run/installed
[ "$(systemctl is-enabled tarsier.service)" = enabled ]
[ "$(systemctl is-enabled tarsier-capture.socket)" = enabled ]
systemctl start tarsier.service # is no error, and does nothing
[ "$(property ActiveState tarsier.service)" = inactive ]
[ "$(property ConditionResult tarsier.service)" = no ]
not pidof tarsier tarsier-capture
no_failed_units
[ "$(stat -c '%U:%G %a' /etc/tarsier)" = "root:tarsier 750" ]

step "units: this systemd understands all of them, and their exposure is at most 1.2 and 1.6"
[ -z "$(systemd-analyze verify /usr/lib/systemd/system/tarsier{.service,-capture.socket,-capture@.service} 2>&1)" ]
systemd-analyze security --no-pager --offline=true --threshold=12 /usr/lib/systemd/system/tarsier.service
systemd-analyze security --no-pager --offline=true --threshold=16 /usr/lib/systemd/system/tarsier-capture@.service

# The daemon's broker wants a password, which only root may read.
(umask 077 && head -c 18 /dev/urandom | base64 >/etc/tarsier/mqtt.password)
mosquitto_passwd -b -c /etc/mosquitto/passwd tarsier "$(cat /etc/tarsier/mqtt.password)"
chown mosquitto: /etc/mosquitto/passwd
cp /opt/boottest/mosquitto.conf /etc/mosquitto/conf.d/
mkdir -p /etc/systemd/system/tarsier.service.d
printf '[Service]\nLoadCredential=mqtt:/etc/tarsier/mqtt.password\n' >/etc/systemd/system/tarsier.service.d/credential.conf
install -m 640 -g tarsier /opt/boottest/tarsier.yaml /etc/tarsier/
