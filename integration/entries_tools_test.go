package integration

// What entry points do before the program starts, and beside it.
var toolEntries = []entry{
	{name: "groupadd, useradd, usermod, chpasswd, userdel", script: `groupadd -g 1500 app; useradd -u 1500 -g app -m -s /bin/bash app; echo app:secret | chpasswd; usermod -o -u 1600 app; usermod -aG www-data app; [ "$(id -u app)" = 1600 ]; passwd -S app | grep -q ' P '; userdel -r app 2>/dev/null; echo fine`},
	{name: "adduser, addgroup, deluser", script: `addgroup --gid 1500 app >/dev/null; adduser --uid 1500 --gid 1500 --disabled-password --gecos '' app >/dev/null; adduser --system --group svc >/dev/null; [ "$(stat -c %u /home/app)" = 1500 ]; deluser app >/dev/null; echo fine`},
	{name: "PUID and PGID of linuxserver.io, s6-setuidgid", script: `useradd -u 911 -U -d /config -s /bin/false abc; mkdir -p /config; groupmod -o -g 1000 abc; usermod -o -u 1000 abc; chown abc:abc /config; s6-setuidgid abc sh -c 'touch /config/x; id -u' | grep -qx 1000; [ "$(stat -c %u:%g /config/x)" = 1000:1000 ]; echo fine`},
	{name: "gosu, setpriv, chpst", script: `[ "$(gosu www-data id -u)" = 33 ]; [ "$(setpriv --reuid=33 --regid=33 --init-groups id -u)" = 33 ]; [ "$(chpst -u www-data id -u)" = 33 ]; setpriv --reuid=33 --regid=33 --clear-groups --inh-caps=-all sh -c 'id -G' | grep -qx 33; echo fine`},
	{name: "su, runuser (PAM)", script: `[ "$(su -s /bin/sh www-data -c 'id -u')" = 33 ]; [ "$(su - -s /bin/sh www-data -c 'id -u')" = 33 ]; [ "$(runuser -u www-data -- id -u)" = 33 ]; echo fine`},
	{name: "tini", script: `tini -g -- sh -c 'sleep 60 & exit 0'; timeout -s TERM 1 tini sleep 60 || [ $? -ge 124 ]; echo fine`},
	{name: "dumb-init", script: `dumb-init -- sh -c 'sleep 0.1 & wait'; dumb-init -r 15:2 -- true; echo fine`},
	{name: "s6-svscan", script: `mkdir -p /tmp/s/one; printf '#!/bin/sh\nexec s6-setuidgid www-data sleep 600\n' >/tmp/s/one/run; chmod +x /tmp/s/one/run; s6-svscan /tmp/s & is_of www-data 'sleep 600'; s6-svc -d /tmp/s/one; tries sh -c 's6-svstat /tmp/s/one | grep -q ^down'; echo fine`},
	{name: "runsvdir", script: `mkdir -p /tmp/s/one; printf '#!/bin/sh\nexec chpst -u www-data sleep 600\n' >/tmp/s/one/run; chmod +x /tmp/s/one/run; runsvdir -P /tmp/s & is_of www-data 'sleep 600'; tries sv status /tmp/s/one; sv down /tmp/s/one >/dev/null; echo fine`},
	{name: "supervisord", script: `printf '[supervisord]\nnodaemon=true\nuser=root\nlogfile=/tmp/log\npidfile=/tmp/pid\n[unix_http_server]\nfile=/tmp/sock\nchown=www-data\n[supervisorctl]\nserverurl=unix:///tmp/sock\n[rpcinterface:supervisor]\nsupervisor.rpcinterface_factory=supervisor.rpcinterface:make_main_rpcinterface\n[program:one]\ncommand=sleep 600\nuser=www-data\n' >/tmp/c
supervisord -c /tmp/c & is_of www-data 'sleep 600'; supervisorctl -c /tmp/c stop one | grep -q stopped; echo fine`},
	{name: "cron", script: `printf '* * * * * www-data id -u >/tmp/ran\n' >/etc/cron.d/it; chmod 644 /etc/cron.d/it; cron -f & for i in $(seq 75); do [ -s /tmp/ran ] && break; sleep 1; done; grep -qx 33 /tmp/ran; echo fine`},
	{name: "rsyslogd", script: `printf 'module(load="imuxsock")\n*.* /tmp/syslog\n' >/tmp/c; rsyslogd -n -f /tmp/c -i /tmp/pid & tries test -S /dev/log; logger -t it a word; tries grep -q 'it: a word' /tmp/syslog; echo fine`},
	{name: "logrotate", script: `echo x >/var/log/it.log; chown www-data /var/log/it.log; printf '/var/log/it.log {\n rotate 2\n compress\n create 0640 www-data adm\n su root root\n}\n' >/tmp/c; chmod 644 /tmp/c; logrotate -f -s /tmp/state /tmp/c; [ -s /var/log/it.log.1.gz ]; [ "$(stat -c %U /var/log/it.log)" = www-data ]; echo fine`},
	{
		name: "postfix", script: `postconf -e 'maillog_file=/dev/stdout' 'mydestination=localhost' 'inet_protocols=ipv4'; newaliases; postfix start-fg >/tmp/log 2>&1 & tries nc -z 127.0.0.1 25; printf 'Subject: t\n\nx\n' | sendmail root@localhost; tries test -s /var/mail/root -o -s /var/mail/nobody || { cat /tmp/log; exit 1; }; echo fine`,
		lines: []string{"capabilities: {max: [CHOWN, DAC_OVERRIDE, FOWNER, SETUID, SETGID, KILL, SYS_CHROOT]}"},
	},
	{name: "msmtp", script: `(printf '220 x\r\n'; sleep 1; printf '250 x\r\n'; sleep 1; printf '250 ok\r\n'; sleep 1; printf '250 ok\r\n'; sleep 1; printf '354 go\r\n'; sleep 1; printf '250 ok\r\n'; sleep 1; printf '221 bye\r\n') | nc -l -p 2525 >/tmp/mail & sleep 0.5
printf 'Subject: t\n\nx\n' | msmtp --host=127.0.0.1 --port=2525 --from=a@b c@d; grep -q 'RCPT TO:<c@d>' /tmp/mail; echo fine`},
	{
		name: "sshd", script: `mkdir -p /run/sshd; ssh-keygen -A >/dev/null; ssh-keygen -qN '' -f /tmp/k; mkdir -p /root/.ssh; chmod 700 /root/.ssh; cp /tmp/k.pub /root/.ssh/authorized_keys; /usr/sbin/sshd -D -e -p 2222 2>/tmp/log & tries nc -z 127.0.0.1 2222
ssh -i /tmp/k -p 2222 -o StrictHostKeyChecking=no -o BatchMode=yes -o LogLevel=ERROR root@127.0.0.1 echo fine || { tail -n 3 /tmp/log; exit 1; }`,
		lines: []string{"capabilities: {max: [CHOWN, DAC_OVERRIDE, FOWNER, SETUID, SETGID, KILL, SYS_CHROOT]}"},
	},
	{name: "sudo by a user", script: `echo 'www-data ALL=(ALL) NOPASSWD: ALL' >/etc/sudoers.d/it; gosu www-data sudo -n id -u | grep -qx 0; echo fine`, lines: []string{"privilege: {noNewPrivileges: false}"}},
	{name: "sudo as root, to a user", script: `[ "$(sudo -n -u www-data id -u)" = 33 ]; echo fine`},
	{name: "ping by a user", args: []string{"--user", "1000"}, script: `ping -c 1 -W 2 127.0.0.1 >/dev/null; echo fine`},
	{name: "ping by root", script: `ping -c 1 -W 2 127.0.0.1 >/dev/null; echo fine`},
	{name: "FUSE", script: `[ -c /dev/fuse ]; echo fine`},
	{name: "keepalived", args: []string{"--cap-add", "NET_ADMIN", "--cap-add", "NET_RAW"}, script: `printf 'vrrp_instance i {\n interface eth0\n virtual_router_id 5\n priority 100\n virtual_ipaddress { 10.99.0.9/32 }\n}\n' >/tmp/c; keepalived -n -l -D -f /tmp/c -p /tmp/p1 -r /tmp/p2 >/tmp/log 2>&1 & for i in $(seq 20); do sleep 0.5; grep -q "Entering MASTER" /tmp/log && break; done; grep -q "Entering MASTER" /tmp/log || { grep -i -m 2 -E 'permitted|denied|not supported' /tmp/log; exit 1; }; echo fine`, lines: []string{
		"capabilities: {max: [CHOWN, DAC_OVERRIDE, FOWNER, SETUID, SETGID, KILL, NET_ADMIN, NET_RAW]}", "userns: {mode: \"off\"}", "egress: {default: allow, allow: [], deny: []}",
	}},
	{name: "git", script: `export HOME=/tmp; cd /tmp; git init -q r; cd r; echo x >f; git add f; git -c user.name=x -c user.email=x@x commit -qm x; git clone -q /tmp/r /tmp/r2; chown -R www-data /tmp/r2; git -c safe.directory=* -C /tmp/r2 status >/dev/null; echo fine`},
	{name: "tar with owners and modes", script: `cd /tmp; mkdir -p a/b; echo x >a/b/f; chown 33:44 a/b/f; chmod 4755 a/b/f; mkfifo a/p; ln a/b/f a/l; tar -cf a.tar a; mkdir out; tar -xpf a.tar -C out; [ "$(stat -c %u:%g:%a out/a/b/f)" = 33:44:4755 ]; [ -p out/a/p ]; echo fine`},
	{name: "rsync, unzip, cp -a", script: `cd /tmp; mkdir -p a; echo x >a/f; chown 33:33 a/f; rsync -a a/ b/; rsync -a --chown=1:1 a/ c/; cp -a a d; [ "$(stat -c %u b/f c/f d/f | tr '\n' ' ')" = '33 1 33 ' ]; zip -q z.zip a/f; unzip -q z.zip -d u; [ -s u/a/f ]; echo fine`},
	{name: "dpkg -i", script: `mkdir -p /tmp/p/DEBIAN /tmp/p/opt/it; printf 'Package: it\nVersion: 1\nArchitecture: all\nMaintainer: t <t@t>\nDescription: t\n' >/tmp/p/DEBIAN/control; echo x >/tmp/p/opt/it/f; chown 33 /tmp/p/opt/it/f; dpkg-deb -b /tmp/p /tmp/it.deb >/dev/null; dpkg -i /tmp/it.deb >/dev/null; [ "$(stat -c %u /opt/it/f)" = 33 ]; dpkg -P it >/dev/null; echo fine`},
	{name: "pip install", script: `mkdir -p /tmp/m/it; echo 'x = 42' >/tmp/m/it/__init__.py; printf 'from setuptools import setup\nsetup(name="it", version="1", packages=["it"])\n' >/tmp/m/setup.py; cd /tmp/m; pip3 install --break-system-packages --no-index --no-build-isolation . >/tmp/log 2>&1 || { tail -n 5 /tmp/log; exit 1; }; cd /; python3 -c 'import it; assert it.x == 42; print("fine")'`},
	{name: "varnishd", script: `printf 'vcl 4.1;\nbackend d none;\nsub vcl_recv { return (synth(200, "answered")); }\n' >/tmp/v; varnishd -F -f /tmp/v -a :6081 -n /tmp/vn -s malloc,16m & answers http://127.0.0.1:6081/ answered; echo fine`},
	{name: "squid", script: `printf 'http_port 3128\nhttp_access allow all\npid_filename none\ncache_log /tmp/cache.log\naccess_log none\nnetdb_filename none\n' >/tmp/c; squid -N -f /tmp/c & tries nc -z 127.0.0.1 3128; is_of proxy squid; echo fine`},
	{name: "dnsmasq", script: `dnsmasq -k -p 5353 --no-resolv --no-hosts --address=/it.test/10.9.9.9 --user=dnsmasq --pid-file= & is_of dnsmasq dnsmasq; echo fine`},
	{name: "etcd", script: `etcd --data-dir /tmp/etcd >/tmp/log 2>&1 & tries curl -sf http://127.0.0.1:2379/health; echo fine`},
	{name: "newusers, chage, pwck, vipw's locks", script: `echo 'app:secret:1700:1700::/home/app:/bin/sh' | newusers; chage -M 90 app; chage -l app | grep -q 90; pwck -rq || true; usermod -L app; passwd -u app >/dev/null; gpasswd -a app www-data >/dev/null; echo fine`},
	{name: "crontab", script: `echo '1 1 1 1 * true' | crontab -; crontab -l | grep -q '^1 1'; echo '2 2 2 2 * true' | crontab -u www-data -; [ "$(stat -c %U /var/spool/cron/crontabs/www-data)" = www-data ]; echo fine`},
	{name: "start-stop-daemon", args: []string{"--init"}, script: `start-stop-daemon --start --background --make-pidfile --pidfile /tmp/pid --chuid www-data --exec /bin/sleep -- 600; is_of www-data 'sleep 600'; start-stop-daemon --stop --retry 5 --pidfile /tmp/pid >/dev/null; echo fine`},
	{name: "update-ca-certificates, ldconfig", script: `ldconfig; update-ca-certificates --fresh >/dev/null 2>&1; [ -s /etc/ssl/certs/ca-certificates.crt ]; echo fine`},
	{
		name: "chroot --userspec", script: `[ "$(chroot --userspec=www-data / id -u)" = 33 ]; echo fine`,
		lines: []string{"capabilities: {max: [CHOWN, DAC_OVERRIDE, FOWNER, SETUID, SETGID, KILL, SYS_CHROOT]}"},
	},
	{
		name: "setcap", script: `cp /bin/true /tmp/t; setcap cap_net_bind_service=+ep /tmp/t; getcap /tmp/t | grep -q bind; echo fine`,
		lines: []string{"capabilities: {max: [CHOWN, DAC_OVERRIDE, FOWNER, SETUID, SETGID, KILL, SETFCAP]}"},
	},
	{name: "mount, in the container", script: `mkdir /tmp/m; mount -t tmpfs none /tmp/m; echo fine`},
	{name: "sysctl -w", script: `echo 20000 20100 >/proc/sys/net/ipv4/ip_local_port_range; echo fine`},
	{name: "a user namespace (bubblewrap, Chrome's sandbox)", script: `unshare -Ur true; echo fine`},
}
