"""The far end of a box that may look names up: a resolver, whose questions are
logged, and a server on two ports. usage: names.py LOG NAME=ADDRESS..."""
import http.server, socket, struct, sys, threading

log = open(sys.argv[1], "ab", buffering=0)
zone = dict(a.split("=") for a in sys.argv[2:])


def dns():
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.bind(("192.0.2.53", 53))
    while True:
        q, to = s.recvfrom(4096)
        labels, at = [], 12
        while q[at]:
            labels.append(q[at + 1:at + 1 + q[at]].decode("latin1"))
            at += 1 + q[at]
        name, kind = ".".join(labels), struct.unpack(">H", q[at + 1:at + 3])[0]
        log.write(("DNS %s\n" % name).encode())
        here = name in zone and kind == 1
        head = q[:2] + struct.pack(">HHHHH", 0x8180 if name in zone else 0x8183, 1, 1 if here else 0, 0, 0)
        answer = b"\xc0\x0c" + struct.pack(">HHIH", 1, 1, 60, 4) + socket.inet_aton(zone[name]) if here else b""
        s.sendto(head + q[12:at + 5] + answer, to)


class Hello(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        log.write(("GET %s\n" % self.headers.get("Host")).encode())
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"hello")

    def log_message(self, *args):
        pass


threading.Thread(target=dns, daemon=True).start()
threading.Thread(target=http.server.ThreadingHTTPServer(("0.0.0.0", 443), Hello).serve_forever, daemon=True).start()
http.server.ThreadingHTTPServer(("0.0.0.0", 8080), Hello).serve_forever()
