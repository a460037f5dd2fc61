"""What a box is tried against: registries, the cloud's metadata, and a thief's
collector of what reaches it by TCP and by DNS. usage: server.py DIR LOG"""
import http.server, os, socket, sys, threading

top, log = sys.argv[1], open(sys.argv[2], "ab", buffering=0)


class Registry(http.server.SimpleHTTPRequestHandler):
    def __init__(self, *args):
        super().__init__(*args, directory=top)

    def translate_path(self, path):
        at = super().translate_path(path)
        return at + ".json" if os.path.exists(at + ".json") else at

    def log_message(self, *args):
        pass


class Metadata(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"cloud-credentials")

    def log_message(self, *args):
        pass


def tcp():
    s = socket.create_server(("192.0.2.1", 9999))
    while True:
        c, _ = s.accept()
        log.write(b"TCP " + c.recv(4096).replace(b"\n", b" ") + b"\n")
        c.close()


def dns():
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.bind(("192.0.2.1", 53))
    while True:
        log.write(b"DNS " + s.recv(4096).replace(b"\n", b" ") + b"\n")


for f in (tcp, dns, http.server.ThreadingHTTPServer(("169.254.169.254", 80), Metadata).serve_forever):
    threading.Thread(target=f, daemon=True).start()
http.server.ThreadingHTTPServer(("192.0.2.1", 8080), Registry).serve_forever()
