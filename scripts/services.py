#!/usr/bin/env python3
"""Databases and Redis for development and tests, as plain processes of this machine.

  services.py up [NAME...] [--fast]     installs what is missing, starts them, prints the environment to use
  services.py status                    what runs, where, and how much memory it takes
  services.py env                       prints the environment again
  services.py restart NAME...           kills them and starts them on the same port with the same data
  services.py down [NAME...]            ends them and removes their data
  services.py hold NAME... [--fast]     starts fresh ones of its own, prints NAME=ADDRESS, and ends them with its input
  services.py compose                   prints how to do the same with Docker

Names: mariadb, postgres, oceanbase, redis; without a name all of them. They listen on 127.0.0.1, on free ports. Data
lies in a temporary folder (CREWD_SERVICES_DIR names another). --fast does not flush the disk: for tests, not for
measurements. The second `up` starts what does not run and leaves the rest alone.

Debian packages are installed where that is possible (root and apt-get), Python wheels into an environment of this
script's own (CREWD_SERVICES_VENV names another): `pylibseekdb` has OceanBase's engine in it, `pgserver` has PostgreSQL with pgvector. `hold` installs
nothing: it uses what is there, and ends with code 3 where something is missing.
"""

import glob
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import venv

NAMES = ["mariadb", "postgres", "oceanbase", "redis"]
ROOT = os.environ.get("CREWD_SERVICES_DIR") or os.path.join(tempfile.gettempdir(), f"crewd-services-{os.getuid()}")
STATE = os.path.join(ROOT, "state.json")
VENV = os.environ.get("CREWD_SERVICES_VENV") or os.path.join(ROOT, "python")
WHEELS = {"postgres": ("pgserver", "pgserver>=0.1.4,<1"), "oceanbase": ("pylibseekdb", "pylibseekdb>=1.4,<2")}
PACKAGES = {"mariadb": ["mariadb-server"], "redis": ["redis-server"], "postgres": ["postgresql"]}
ATTEMPTS = 5
PATIENCE = 90.0
MISSING = 3


class Missing(Exception):
    """A service is not installed."""


class Failed(Exception):
    """A service did not start."""


# --- finding and installing -------------------------------------------------------------------------------------


def program(name, *folders):
    """The path of a program, on the path or in one of these folders."""
    found = shutil.which(name)
    if found:
        return found
    for folder in folders:
        for path in sorted(glob.glob(os.path.join(folder, name)), reverse=True):
            if os.access(path, os.X_OK):
                return path
    return None


def wheel(module):
    """The folder of an installed Python package, without importing it."""
    pythons = [os.path.join(VENV, "bin", "python"), os.environ.get("CREWD_SERVICES_PYTHON"), sys.executable]
    question = "import importlib.util as u; s = u.find_spec(%r); print(list(s.submodule_search_locations)[0] if s else '')"
    for python in filter(None, pythons):
        if not shutil.which(python):
            continue
        answer = subprocess.run([python, "-c", question % module], capture_output=True, text=True, check=False)
        if answer.stdout.strip():
            return answer.stdout.strip()
    return None


def postgres_programs():
    """The folder with initdb and postgres: of the wheel, which has pgvector, else Debian's."""
    folder = wheel("pgserver")
    if folder and os.path.exists(os.path.join(folder, "pginstall", "bin", "postgres")):
        return os.path.join(folder, "pginstall", "bin")
    found = program("initdb", "/usr/lib/postgresql/*/bin")
    return os.path.dirname(os.path.realpath(found)) if found else None


def is_installed(name):
    if name == "mariadb":
        return bool(program("mariadbd", "/usr/sbin") and program("mariadb-install-db", "/usr/bin"))
    if name == "redis":
        return bool(program("redis-server", "/usr/bin"))
    if name == "postgres":
        return postgres_programs() is not None
    return wheel("pylibseekdb") is not None


def install(name):
    say(f"{name}: installing")
    if name in WHEELS:
        if not os.path.exists(os.path.join(VENV, "bin", "pip")):
            venv.create(VENV, with_pip=True)
        pip = [os.path.join(VENV, "bin", "pip"), "install", "--quiet", "--disable-pip-version-check", WHEELS[name][1]]
        subprocess.run(pip, check=False, stdout=sys.stderr)
        if is_installed(name):
            return
    if name in PACKAGES and os.getuid() == 0 and shutil.which("apt-get"):
        environment = dict(os.environ, DEBIAN_FRONTEND="noninteractive")
        # A service that the package starts would take memory and a well-known port: this says that it must not.
        policy = "/usr/sbin/policy-rc.d"
        is_ours = not os.path.exists(policy)
        if is_ours:
            with open(policy, "w", encoding="ascii") as file:
                file.write("#!/bin/sh\nexit 101\n")
            os.chmod(policy, 0o755)
        try:
            for command in (["update", "-qq"], ["install", "-y", "-qq", "--no-install-recommends", *PACKAGES[name]]):
                subprocess.run(["apt-get", *command], check=False, env=environment, stdout=subprocess.DEVNULL)
        finally:
            if is_ours:
                os.remove(policy)
    if not is_installed(name):
        raise Missing(name)


# --- starting ---------------------------------------------------------------------------------------------------


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def as_somebody(command, folder):
    """PostgreSQL refuses to run as root: then it runs as somebody without rights, who owns the folder."""
    if os.getuid() != 0:
        return command
    shutil.chown(folder, "nobody")
    os.chmod(os.path.dirname(folder), 0o755)
    tool = shutil.which("runuser")
    return [tool, "-u", "nobody", "--", *command] if tool else ["setpriv", "--reuid=nobody", "--clear-groups", *command]


def plan(name, folder, port, fast):
    """What to do once, and what to start: two commands and an environment."""
    data = os.path.join(folder, "data")
    os.makedirs(data, exist_ok=True)
    if name == "mariadb":
        common = ["--no-defaults", f"--datadir={data}"]
        user = ["--user=root"] if os.getuid() == 0 else []
        first = [program("mariadb-install-db", "/usr/bin"), *common, "--auth-root-authentication-method=normal", *user]
        flush = ["--innodb-flush-log-at-trx-commit=0", "--skip-innodb-doublewrite"] if fast else []
        server = [program("mariadbd", "/usr/sbin"), *common, *user, f"--port={port}", "--bind-address=127.0.0.1",
                  f"--socket={folder}/mariadb.sock", f"--pid-file={folder}/mariadb.pid", "--max-connections=400",
                  "--innodb-buffer-pool-size=256M", *flush]
        return first, server, {}
    if name == "postgres":
        programs = postgres_programs()
        first = as_somebody([os.path.join(programs, "initdb"), "-D", data, "-U", "postgres", "-A", "trust", "-E", "UTF8",
                             "--locale=C.UTF-8"], data)
        flush = ["-c", "fsync=off", "-c", "full_page_writes=off", "-c", "synchronous_commit=off"] if fast else []
        server = as_somebody([os.path.join(programs, "postgres"), "-D", data, "-p", str(port), "-k", "/tmp", "-c",
                              "listen_addresses=127.0.0.1", "-c", "max_connections=400", "-c", "shared_buffers=256MB",
                              *flush], data)
        return first, server, {}
    if name == "oceanbase":
        folder_of_wheel = wheel("pylibseekdb")
        libraries = f"{folder_of_wheel}:{os.path.join(os.path.dirname(folder_of_wheel), 'pylibseekdb.libs')}"
        # More prepared statements for each session than the 50 it starts with: see docs/databases.md.
        sizes = ["datafile_size=2G", "log_disk_size=2G", "memory_limit=2G", "open_cursors=1000"]
        server = [os.path.join(folder_of_wheel, "seekdb"), "--nodaemon", "--port", str(port), "--base-dir", data]
        for size in sizes:
            server += ["--parameter", size]
        return None, server, {"LD_LIBRARY_PATH": libraries}
    server = [program("redis-server", "/usr/bin"), "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no",
              "--dir", data]
    return None, server, {}


def start(name, folder, fast, keeper=None):
    """Starts a service in a folder; gives its entry of the state. `keeper` is a pipe: the service ends with it."""
    for _ in range(ATTEMPTS):
        port = free_port()
        shutil.rmtree(folder, ignore_errors=True)
        os.makedirs(folder)
        first, server, extra = plan(name, folder, port, fast)
        environment = dict(os.environ, **extra)
        with open(os.path.join(folder, "log"), "wb") as log:
            if first and subprocess.run(first, stdout=log, stderr=log, env=environment, check=False).returncode != 0:
                raise Failed(f"{name}: its data could not be made, see {folder}/log")
            # A shell between: it ends the service when the pipe closes, however its owner ended.
            if keeper is not None:
                script = '"$@" </dev/null & child=$!; (read _ <&3; kill -9 $child 2>/dev/null) & wait $child'
                process = subprocess.Popen(["sh", "-c", f"exec 3<&{keeper}; {script}", "sh", *server], stdout=log, stderr=log,
                                           env=environment, pass_fds=[keeper], start_new_session=True)
            else:
                process = subprocess.Popen(server, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environment,
                                           start_new_session=True)
        if answers(name, port, process):
            return {"name": name, "pid": process.pid, "began": began(process.pid), "port": port, "folder": folder, "fast": fast}
        # Somebody took the port meanwhile, or it cannot start at all.
        end(process.pid)
    raise Failed(f"{name}: it does not start, see {folder}/log")


def again(entry):
    """Kills a service, as a crash does, and starts it with what lies in its folder."""
    name, folder, port = entry["name"], entry["folder"], entry["port"]
    if is_alive(entry):
        os.killpg(entry["pid"], signal.SIGKILL)
        while began(entry["pid"]) == entry["began"]:
            time.sleep(0.02)
    _, server, extra = plan(name, folder, port, entry["fast"])
    for _ in range(ATTEMPTS):
        with open(os.path.join(folder, "log"), "ab") as log:
            process = subprocess.Popen(server, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=dict(os.environ, **extra),
                                       start_new_session=True)
        if answers(name, port, process):
            return dict(entry, pid=process.pid, began=began(process.pid))
        # What the dead one held may not be free yet.
        end(process.pid)
        time.sleep(0.5)
    raise Failed(f"{name}: it does not start again, see {folder}/log")


def answers(name, port, process):
    """Waits until a service speaks."""
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until and process.poll() is None:
        if speaks(name, port):
            return True
        time.sleep(0.1)
    return False


def speaks(name, port):
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=2) as link:
            link.settimeout(2)
            if name == "redis":
                link.sendall(b"PING\r\n")
                return link.recv(16).startswith(b"+PONG")
            if name == "postgres":
                # A start with a user: anything but "57P03, the database is starting up" will do.
                message = b"\0\3\0\0user\0postgres\0\0"
                link.sendall((len(message) + 4).to_bytes(4, "big") + message)
                return link.recv(1) == b"R"
            return mysql_answers(link)
    except OSError:
        return False


def mysql_answers(link):
    """Logs in as root without a password and asks: a server greets a moment before it takes statements."""

    def packet():
        head = exactly(4)
        return exactly(int.from_bytes(head[:3], "little"))

    def exactly(count):
        data = b""
        while len(data) < count:
            more = link.recv(count - len(data))
            if not more:
                raise OSError("closed")
            data += more
        return data

    def send(number, body):
        link.sendall(len(body).to_bytes(3, "little") + bytes([number]) + body)

    if packet()[:1] == b"\xff":
        return False
    # Protocol 4.1, long password, secure connection; UTF-8; an empty password.
    send(1, (0x8201).to_bytes(4, "little") + (1 << 24).to_bytes(4, "little") + b"\x2d" + bytes(23) + b"root\0" + b"\0")
    answer = packet()
    if answer[:1] == b"\xfe":
        send(3, b"")
        answer = packet()
    if answer[:1] != b"\0":
        return False
    send(0, b"\x03SHOW DATABASES")
    return packet()[:1] != b"\xff"


# --- state ------------------------------------------------------------------------------------------------------


def began(pid):
    """When a process began, in the clock ticks of the system: with the id it names a process for ever."""
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as file:
            return file.read().rsplit(")", 1)[1].split()[19]
    except (OSError, IndexError):
        return None


def is_alive(entry):
    return entry["began"] is not None and began(entry["pid"]) == entry["began"]


def end(pid):
    """Ends a process and all that it has started."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(pid, number)
        except OSError:
            return
        until = time.monotonic() + 8
        while time.monotonic() < until:
            try:
                os.waitpid(pid, os.WNOHANG)
            except OSError:
                pass
            if began(pid) is None:
                return
            time.sleep(0.05)


def load():
    try:
        with open(STATE, encoding="utf-8") as file:
            return json.load(file)
    except (OSError, ValueError):
        return {}


def save(state):
    os.makedirs(ROOT, exist_ok=True)
    with open(STATE + ".new", "w", encoding="utf-8") as file:
        json.dump(state, file, indent=1)
    os.replace(STATE + ".new", STATE)


def address(entry):
    name, port = entry["name"], entry["port"]
    scheme = {"mariadb": "mysql://root@", "oceanbase": "mysql://root@", "postgres": "postgres://postgres@", "redis": "redis://"}
    return f"{scheme[name]}127.0.0.1:{port}"


def memory(pid):
    """Megabytes of a process and its children."""
    total, family = 0, {str(pid)}
    try:
        listing = subprocess.run(["ps", "-eo", "pid=,ppid=,rss="], capture_output=True, text=True, check=False).stdout
    except OSError:
        return 0
    rows = [line.split() for line in listing.splitlines()]
    for _ in range(4):
        family |= {row[0] for row in rows if row[1] in family}
    for row in rows:
        total += int(row[2]) if row[0] in family else 0
    return total // 1024


def say(text):
    print(text, file=sys.stderr, flush=True)


# --- commands ---------------------------------------------------------------------------------------------------


def up(names, fast):
    state = load()
    for name in names:
        if name in state and is_alive(state[name]):
            continue
        # Debian's PostgreSQL will do where the wheel cannot be had, but pgvector comes with the wheel alone.
        if not is_installed(name) or (name == "postgres" and wheel("pgserver") is None):
            install(name)
        state[name] = start(name, os.path.join(ROOT, name), fast)
        save(state)
        say(f"{name}: listens on port {state[name]['port']}")
    env()


def env():
    state = {name: entry for name, entry in load().items() if is_alive(entry)}
    for name, entry in state.items():
        print(f"export CREWD_TEST_{name.upper()}_URL={address(entry)}")
    for name in ("oceanbase", "postgres", "mariadb"):
        if name in state:
            print(f"# export APP_DATABASE_URL={address(state[name])}/crewd   # then: crewd migrate up --create")
    if "redis" in state:
        print(f"# export APP_REDIS_URL={address(state['redis'])}")


def restart(names):
    state = load()
    for name in names:
        if name in state:
            state[name] = again(state[name])
            save(state)
            say(f"{name}: listens again on port {state[name]['port']}")


def status():
    state = load()
    print(f"{'service':<10} {'state':<12} {'pid':>7} {'port':>6} {'memory':>9}")
    for name in NAMES:
        entry = state.get(name)
        if entry and is_alive(entry):
            print(f"{name:<10} {'running':<12} {entry['pid']:>7} {entry['port']:>6} {memory(entry['pid']):>6} MB")
        else:
            print(f"{name:<10} {'stopped' if is_installed(name) else 'not installed':<12}")


def down(names):
    state = load()
    for name in names:
        entry = state.pop(name, None)
        if entry is None:
            continue
        if is_alive(entry):
            end(entry["pid"])
        shutil.rmtree(entry["folder"], ignore_errors=True)
        save(state)
        say(f"{name}: ended")
    if not state and os.path.exists(STATE):
        os.remove(STATE)


def sweep():
    """Removes the data of owners that were killed; their services have ended with them."""
    for folder in glob.glob(os.path.join(tempfile.gettempdir(), "crewd-hold-*-*")):
        owner = os.path.basename(folder).split("-")[2]
        if owner.isdigit() and began(int(owner)) is None:
            shutil.rmtree(folder, ignore_errors=True)


def hold(names, fast):
    """Services of one owner: they end with this process, and this process with its input."""
    missing = [name for name in names if not is_installed(name)]
    if missing:
        raise Missing(", ".join(missing))
    sweep()
    folder = tempfile.mkdtemp(prefix=f"crewd-hold-{os.getpid()}-")
    os.chmod(folder, 0o755)
    # Nobody writes to it: it closes when this process ends, even if it is killed.
    reading, writing = os.pipe()
    entries = []
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    try:
        for name in names:
            entry = start(name, os.path.join(folder, name), fast, keeper=reading)
            entries.append(entry)
            print(f"{name}={address(entry)}", flush=True)
        while sys.stdin.buffer.read(4096):
            pass
    finally:
        os.close(writing)
        for entry in entries:
            end(entry["pid"])
        shutil.rmtree(folder, ignore_errors=True)


def main(arguments):
    words = [word for word in arguments if not word.startswith("--")]
    flags = [word for word in arguments if word.startswith("--")]
    command, names = (words or ["status"])[0], words[1:] or NAMES
    unknown = [name for name in names if name not in NAMES] + [flag for flag in flags if flag != "--fast"]
    if unknown or command not in ("up", "down", "status", "env", "restart", "hold", "compose"):
        say(__doc__)
        return 2
    fast = "--fast" in flags
    try:
        if command == "up":
            up(names, fast)
        elif command == "down":
            down(names)
        elif command == "env":
            env()
        elif command == "restart":
            restart(words[1:])
        elif command == "hold":
            hold(names, fast)
        elif command == "compose":
            print("docker compose -f deploy/services.compose.yaml up --detach --wait")
        else:
            status()
    except Missing as error:
        say(f"not installed: {error}")
        return MISSING
    except Failed as error:
        say(str(error))
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
