package integration

// entry is what an entry point of an image does, in the tests' own words. It
// prints "fine" as its last line.
type entry struct {
	image  string   // the official image whose entry point it is, or "" for a program alone
	name   string   // of the program, or what of the image
	args   []string // of docker run
	script string
	lines  []string // of a profile, added one by one where it does not run unchanged
}

// What a script has beside the image's programs. fails prints why a program that
// must not work does not.
const entryHelp = `export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C
tries() { for i in $(seq 150); do "$@" >/dev/null 2>&1 && return 0; [ -z "${!:-}" ] || [ -d /proc/$! ] || break; sleep 0.2; done; echo "in vain: $*"; return 1; }
answers() { tries sh -c "curl -sf $1 | grep -q '$2'"; }
is_of() { tries pgrep -u "$1" -f "$2"; }
`

// The entry points of official images, re-made over Debian's packages.
var imageEntries = []entry{
	{image: "nginx", args: []string{"-v", "/var/www/html"}, script: `echo answered >/var/www/html/index.html; printf 'user www-data; worker_processes 2; events {} http { server { listen 80; root /var/www/html; } }' >/tmp/n.conf
nginx -c /tmp/n.conf -g 'daemon off;' & answers http://127.0.0.1/ answered; is_of www-data 'nginx: worker'; echo fine`},
	{image: "httpd", args: []string{"-v", "/var/www/html"}, script: `. /etc/apache2/envvars; echo answered >/var/www/html/index.html; rm -f $APACHE_PID_FILE; mkdir -p $APACHE_RUN_DIR $APACHE_LOCK_DIR
apache2 -DFOREGROUND & answers http://127.0.0.1/ answered; is_of www-data apache2; echo fine`},
	{image: "php", name: "apache", args: []string{"-v", "/var/www/html"}, script: `. /etc/apache2/envvars; echo '<?php echo 40+2;' >/var/www/html/p.php; mkdir -p $APACHE_RUN_DIR $APACHE_LOCK_DIR
apache2 -DFOREGROUND & answers http://127.0.0.1/p.php 42; is_of www-data apache2; echo fine`},
	{image: "php", name: "fpm", script: `mkdir -p /run/php; php-fpm8.2 -F & tries test -S /run/php/php8.2-fpm.sock; is_of www-data 'pool www'; echo fine`},
	{image: "adminer", args: []string{"--user", "33:33"}, script: `cd /tmp; echo '<?php echo 40+2;' >index.php; php -S 0.0.0.0:8080 -t /tmp & answers http://127.0.0.1:8080/ 42; echo fine`},
	{image: "wordpress", args: []string{"-v", "/var/www/html"}, script: `. /etc/apache2/envvars; mkdir -p /tmp/src/wp-content $APACHE_RUN_DIR $APACHE_LOCK_DIR; echo '<?php file_put_contents("wp-content/x", "42"); echo file_get_contents("wp-content/x");' >/tmp/src/i.php; chown -R www-data:www-data /tmp/src
tar -C /tmp/src -cf - --owner www-data --group www-data . | tar -C /var/www/html -xf - --no-overwrite-dir; chown www-data:www-data /var/www/html
apache2 -DFOREGROUND & answers http://127.0.0.1/i.php 42; [ "$(stat -c %U /var/www/html/wp-content/x)" = www-data ]; echo fine`},
	{image: "nextcloud", args: []string{"-v", "/var/www/html"}, script: `mkdir -p /tmp/src/data; echo x >/tmp/src/data/f; rsync -rlDog --chown www-data:www-data --delete /tmp/src/ /var/www/html/
su -p www-data -s /bin/sh -c 'php -r "file_put_contents(\"/var/www/html/data/g\", \"x\"); echo 42;"' | grep -q 42; [ "$(stat -c %U /var/www/html/data/g)" = www-data ]; echo fine`},
	{image: "postgres", args: []string{"-v", "/data"}, script: `mkdir -p /run/postgresql /data/pg; chown -R postgres:postgres /data/pg /run/postgresql; chmod 700 /data/pg; cd /; P=/usr/lib/postgresql/15/bin
gosu postgres $P/initdb -D /data/pg -A trust >/dev/null; gosu postgres $P/postgres -D /data/pg & tries psql -h /run/postgresql -U postgres -c 'create table t (a int)'
psql -h /run/postgresql -U postgres -Atc 'insert into t values (42); select a from t' | grep -q 42; is_of postgres 'postgres: checkpointer'; echo fine`},
	{image: "redis", args: []string{"-v", "/data"}, script: `cd /data; find . \! -user redis -exec chown redis '{}' +; setpriv --reuid=redis --regid=redis --clear-groups redis-server --bind 127.0.0.1 --dir /data & tries redis-cli incr n; is_of redis redis-server; redis-cli save | grep -q OK; echo fine`},
	{image: "mariadb", args: []string{"-v", "/data"}, script: `mkdir -p /data/m /run/mysqld; chown -R mysql:mysql /data/m /run/mysqld
gosu mysql mariadb-install-db --datadir=/data/m --auth-root-authentication-method=normal >/dev/null; gosu mysql mariadbd --datadir=/data/m --socket=/run/mysqld/s &
q() { mariadb -S /run/mysqld/s -u root -Ne "$1"; }; tries mariadb -S /run/mysqld/s -u root -Ne 'create database d'; q 'create table d.t (a int)'; q 'insert into d.t values (42)'
mysqldump -S /run/mysqld/s -u root d | grep -q 'INSERT INTO'; is_of mysql mariadbd; echo fine`},
	{image: "memcached", args: []string{"--user", "memcache"}, script: `memcached & tries sh -c 'printf "stats\r\nquit\r\n" | nc -w 2 127.0.0.1 11211 | grep -q pid'; echo fine`},
	{image: "rabbitmq", args: []string{"-h", "rabbit", "-v", "/var/lib/rabbitmq"}, script: `find /var/lib/rabbitmq \! -user rabbitmq -exec chown rabbitmq '{}' +; mkdir -p /var/log/rabbitmq; chown rabbitmq /var/log/rabbitmq
export HOME=/var/lib/rabbitmq; gosu rabbitmq /usr/lib/rabbitmq/bin/rabbitmq-server & tries gosu rabbitmq /usr/lib/rabbitmq/bin/rabbitmqctl -q await_startup; gosu rabbitmq /usr/lib/rabbitmq/bin/rabbitmqctl -q list_users | grep -q guest; echo fine`},
	{image: "influxdb", args: []string{"-v", "/data"}, script: `printf '[meta]\ndir = "/data/m"\n[data]\ndir = "/data/d"\nwal-dir = "/data/w"\n[http]\nbind-address = ":8086"\n' >/tmp/c; influxd -config /tmp/c & tries curl -sf http://127.0.0.1:8086/ping; echo fine`},
	{image: "eclipse-mosquitto", args: []string{"-v", "/data"}, script: `chown -R mosquitto:mosquitto /data; printf 'listener 1883\nallow_anonymous true\npersistence true\npersistence_location /data/\nuser mosquitto\n' >/tmp/c; chmod 644 /tmp/c; mosquitto -c /tmp/c & is_of mosquitto mosquitto; tries nc -z 127.0.0.1 1883; echo fine`},
	{image: "nats", script: `nats-server -a 127.0.0.1 -p 4222 & tries nc -z 127.0.0.1 4222; echo fine`},
	{image: "registry", args: []string{"-v", "/data"}, script: `printf 'version: 0.1\nstorage: {filesystem: {rootdirectory: /data}}\nhttp: {addr: ":5000"}\n' >/tmp/c; docker-registry serve /tmp/c & tries curl -sf http://127.0.0.1:5000/v2/; echo fine`},
	{image: "caddy", script: `mkdir -p /tmp/w; echo answered >/tmp/w/index.html; printf ':80\nroot * /tmp/w\nfile_server\n' >/tmp/Caddyfile; caddy run --config /tmp/Caddyfile --adapter caddyfile & answers http://127.0.0.1/ answered; echo fine`},
	{image: "haproxy", args: []string{"--user", "haproxy"}, script: `printf 'global\n maxconn 100\ndefaults\n mode http\n timeout connect 1s\n timeout client 1s\n timeout server 1s\nfrontend f\n bind :80\n http-request return status 200 content-type text/plain string answered\n' >/tmp/c; haproxy -W -db -f /tmp/c & answers http://127.0.0.1/ answered; echo fine`},
	{image: "tomcat", script: `export CATALINA_HOME=/usr/share/tomcat10 CATALINA_BASE=/tmp/t; mkdir -p /tmp/t/temp /tmp/t/logs /tmp/t/work /tmp/t/webapps/ROOT; cp -rL /etc/tomcat10 /tmp/t/conf; echo answered >/tmp/t/webapps/ROOT/index.html
/usr/share/tomcat10/bin/catalina.sh run & answers http://127.0.0.1:8080/ answered; echo fine`},
	{image: "openjdk", script: `cd /tmp; keytool -genkeypair -alias a -keyalg RSA -keystore k -storepass changeit -dname CN=a; [ -s k ]; echo fine`},
	{image: "node", script: `node -e 'require("http").createServer((q, r) => r.end("answered")).listen(3000)' & answers http://127.0.0.1:3000/ answered; echo fine`},
	{image: "ghost", args: []string{"-v", "/data"}, script: `mkdir -p /data/c; find /data \! -user www-data -exec chown www-data '{}' +; gosu www-data node -e 'require("fs").writeFileSync("/data/c/x", "x"); require("http").createServer((q, r) => r.end("answered")).listen(2368)' & answers http://127.0.0.1:2368/ answered; is_of www-data node; echo fine`},
	{image: "python", script: `cd /tmp; python3 -m http.server 8000 & answers http://127.0.0.1:8000/ Directory; python3 -m venv /tmp/v; /tmp/v/bin/python -c 'import multiprocessing as m; m.Pool(2).map(str, [1]); print("fine")'`},
	{image: "ruby", script: `ruby -rsocket -e 's = TCPServer.new("127.0.0.1", 0); t = Thread.new { s.accept.puts "x" }; raise unless TCPSocket.new("127.0.0.1", s.addr[1]).gets == "x\n"; fork { exit 0 }; Process.wait; puts "fine"'`},
	{image: "busybox", script: `cd /tmp; busybox sh -c 'mkdir d; echo x >d/f; tar -czf d.tgz d; busybox httpd -p 8081 -h /tmp; busybox wget -qO- http://127.0.0.1:8081/d/f'; echo fine`},
	{image: "bash", script: `coproc cat; echo x >&${COPROC[1]}; read -r -u ${COPROC[0]} l; [ "$l" = x ]; diff <(echo a) <(echo a); echo fine`},
	{image: "debian", name: "apt-get install", script: aptScript},
	{image: "docker", name: "dind", args: []string{"--privileged"}, script: `echo fine`},
}

// aptScript makes a package and a repository of it, and installs it from there.
const aptScript = `mkdir -p /tmp/p/DEBIAN /tmp/p/opt/it /srv/repo; printf 'Package: it\nVersion: 1\nArchitecture: all\nMaintainer: t <t@t>\nDescription: t\n' >/tmp/p/DEBIAN/control
printf '#!/bin/sh\nset -e\nadduser --system --group --no-create-home --quiet it\nchown it:it /opt/it/f\n' >/tmp/p/DEBIAN/postinst; chmod 755 /tmp/p/DEBIAN/postinst; echo x >/tmp/p/opt/it/f
dpkg-deb -b /tmp/p /srv/repo/it.deb >/dev/null; cd /srv/repo; dpkg-scanpackages . >Packages 2>/dev/null; rm -f /etc/apt/sources.list.d/*; echo 'deb [trusted=yes] file:///srv/repo ./' >/etc/apt/sources.list
apt-get update -q >/tmp/log 2>&1 || { cat /tmp/log; exit 1; }; apt-get install -y it >/tmp/log 2>&1 || { cat /tmp/log; exit 1; }; [ "$(stat -c %U /opt/it/f)" = it ]; apt-get purge -y it >/dev/null 2>&1; echo fine`
