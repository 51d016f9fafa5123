"""A small server that answers as the Hugging Face hub does, its failures included; for tests, on loopback.

    server.py ROOT

ROOT/ORG/NAME/… are repositories. ROOT/log.jsonl is appended a line a request. ROOT/behaviour.json, read anew at
each request, is a list of rules; the first that matches a request is followed:

    {"path": "part of the path", "method": "GET", "times": 2, "do": "…", …}

`times` says how often a rule counts (for ever without it). What a rule can `do` stands in `Handler.act`. Files that
end in .safetensors or .bin are large ones: they are answered with a redirect to another host (`localhost` for
`127.0.0.1`), with X-Linked-Etag (SHA-256) and X-Linked-Size. Prints the port that it listens on.
"""

import hashlib
import json
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote

ROOT = Path(sys.argv[1]).resolve()
LARGE = (".safetensors", ".bin")
used = {}
lock = threading.Lock()


def git_blob(data):
    return hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()


def commit_of(repository):
    """A repository's one commit, made of its id; the branches are main and dev, and there is a pull request 1."""
    return hashlib.sha1(repository.encode()).hexdigest()


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def do_HEAD(self):
        self.respond()

    def do_GET(self):
        self.respond()

    def rule(self):
        file = ROOT / "behaviour.json"
        rules = json.loads(file.read_text()) if file.exists() else []
        for index, rule in enumerate(rules):
            if rule.get("path", "") in self.path and rule.get("method", self.command) == self.command:
                with lock:
                    if used.get(index, 0) >= rule.get("times", 1 << 30):
                        continue
                    used[index] = used.get(index, 0) + 1
                return rule
        return {}

    def respond(self):
        with lock, open(ROOT / "log.jsonl", "a") as log:
            entry = {"method": self.command, "path": self.path, "host": self.headers["Host"],
                     "authorization": self.headers["Authorization"], "range": self.headers["Range"]}
            log.write(json.dumps(entry) + "\n")
        rule = self.rule()
        if rule.get("do") == "status":
            headers = dict(rule.get("headers", {}))
            return self.send(rule["status"], headers, b"no\n")
        if rule.get("do") == "loop":
            return self.send(302, {"Location": self.path}, b"")
        if rule.get("do") == "hang":
            time.sleep(rule["seconds"])
            self.close_connection = True
            return
        parts = [unquote(p) for p in self.path.split("?")[0].split("/")[1:]]
        if parts[0] == "cdn":
            return self.content(ROOT.joinpath(*parts[1:]), rule, {})
        if len(parts) < 5 or parts[2] != "resolve":
            return self.send(404, {}, b"")
        repository, revision, name = "/".join(parts[:2]), parts[3], "/".join(parts[4:])
        if not (ROOT / repository).is_dir():
            return self.send(401, {"X-Error-Code": "RepoNotFound"}, b"")
        commit = commit_of(repository)
        if revision not in ("main", "dev", "refs/pr/1", commit):
            return self.send(404, {"X-Error-Code": "RevisionNotFound"}, b"")
        headers = {"X-Repo-Commit": commit}
        file = ROOT / repository / name
        if ".." in name or not file.is_file():
            return self.send(404, headers | {"X-Error-Code": "EntryNotFound"}, b"")
        data = file.read_bytes()
        if rule.get("do") == "etag":
            headers["ETag"] = '"%s"' % rule["etag"]
        elif name.endswith(LARGE):
            headers |= {"X-Linked-Etag": '"%s"' % hashlib.sha256(data).hexdigest(),
                        "X-Linked-Size": str(rule.get("size", len(data))), "ETag": '"not-this-one"'}
        else:
            headers["ETag"] = '"%s"' % git_blob(data)
        if name.endswith(LARGE) and rule.get("do") != "direct":
            port = self.server.server_address[1]
            place = rule.get("location", f"http://localhost:{port}/cdn/{repository}/{name}")
            return self.send(302, headers | {"Location": place}, b"found elsewhere\n")
        self.content(file, rule, headers)

    def send(self, status, headers, body):
        self.send_response(status)
        for key, value in headers.items():
            self.send_header(key, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def content(self, file, rule, headers):
        if not file.is_file():
            return self.send(404, headers, b"")
        data = file.read_bytes()
        do = rule.get("do")
        if do == "corrupt":
            data = bytes([data[0] ^ 1]) + data[1:]
        if do == "more":
            data += b"x" * rule["bytes"]
        start, status = 0, 200
        wanted = self.headers["Range"]
        if wanted and do != "no range":
            start = int(wanted.removeprefix("bytes=").rstrip("-"))
            if start >= len(data):
                return self.send(416, {"Content-Range": f"bytes */{len(data)}"}, b"")
            status = 206
            headers = headers | {"Content-Range": f"bytes {start}-{len(data) - 1}/{len(data)}"}
        body = data[start:]
        self.send_response(status)
        for key, value in headers.items():
            self.send_header(key, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command == "HEAD":
            return
        self.act(do, rule, body)

    def act(self, do, rule, body):
        try:
            if do == "cut":
                self.wfile.write(body[:rule["bytes"]])
                self.wfile.flush()
                self.close_connection = True
                self.connection.shutdown(2)
            elif do == "stall":
                self.wfile.write(body[:rule["bytes"]])
                self.wfile.flush()
                time.sleep(rule["seconds"])
                self.close_connection = True
            elif do == "slow":
                for place in range(0, len(body), rule["bytes"]):
                    self.wfile.write(body[place:place + rule["bytes"]])
                    self.wfile.flush()
                    time.sleep(rule["seconds"])
            else:
                self.wfile.write(body)
        except OSError:
            self.close_connection = True


server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
server.daemon_threads = True
print(server.server_address[1], flush=True)
# Whoever started us is gone when our standard input ends.
threading.Thread(target=lambda: (sys.stdin.read(), server.shutdown()), daemon=True).start()
server.serve_forever()
