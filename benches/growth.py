#!/usr/bin/env python3
"""How time and memory grow with the file and the ledger, for one or several programs in turns.

    benches/growth.py [--rows 1000000] [--check-rows 10000000] [PROGRAM ...]

Without a PROGRAM it measures target/release/customer-import. The server is the fast one of the bench `import`, in a process of
its own; cargo builds it if need be. Everything is made in a folder for temporary files (TMPDIR) and removed. Times are those of
the best of some rounds, processor time stands behind them. Only ratios carry over to another machine.
"""

import argparse
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
HEADER = "customer_name,customer_email,customer_phone,customer_country\n"
NAMES = ["Ada Klein", "Ben Weber", "Cleo Vogel", "Dora Huber", "Emil Lang", "Fay Becker", "Gus Wolf", "Hana Roth", "Ida Graf",
         "Jon Frank"]

# What every row of a file has, as the name, the e-mail, the phone number and the country of its row.
KINDS = {
    "clean": lambda n: (NAMES[n % 10], f"p{n}@post.zz", f"+49176123456{n % 10}0", "DEU"),
    "national spelling, DE": lambda n: (NAMES[n % 10], f"p{n}@post.zz", f"0176 123456{n % 10}0", "DEU"),
    "national spelling, US": lambda n: (NAMES[n % 10], f"p{n}@post.zz", f"(415) 555-26{n % 10}1", "USA"),
    "warning: reserved domain": lambda n: (NAMES[n % 10], f"p{n}@mail.test", f"+49176123456{n % 10}0", "DEU"),
    "warning: number of another country": lambda n: (NAMES[n % 10], f"p{n}@post.zz", f"+49176123456{n % 10}0", "FRA"),
    "problem: no name": lambda n: ("", f"p{n}@post.zz", f"+49176123456{n % 10}0", "DEU"),
    "problem: e-mail without @": lambda n: (NAMES[n % 10], f"p{n}.post.zz", f"+49176123456{n % 10}0", "DEU"),
    "problem: unknown country": lambda n: (NAMES[n % 10], f"p{n}@post.zz", f"+49176123456{n % 10}0", "ZZZ"),
}


def write(path, rows, kind="clean"):
    row = KINDS[kind]
    with open(path, "w", encoding="utf-8") as file:
        file.write(HEADER)
        for n in range(rows):
            name, email, phone, country = row(n)
            file.write(f"{name},{email},{phone},{country}\n")


class Server:
    """The fast server of the bench `import`."""

    def __init__(self):
        built = subprocess.run(
            ["cargo", "bench", "--bench", "import", "--no-run", "--message-format=json"],
            cwd=ROOT, check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True).stdout
        messages = [json.loads(line) for line in built.splitlines() if line.startswith("{")]
        found = [m["executable"] for m in messages if m.get("executable") and m["target"]["name"] == "import"]
        self.process = subprocess.Popen([found[-1], "serve-fast", "0"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.url = f"http://127.0.0.1:{self.process.stdout.readline().strip()}"

    def stop(self):
        self.process.kill()
        self.process.wait()


def run(program, args, folder, allowed=(0,)):
    """Returns seconds, processor seconds and MiB of one call."""
    environment = {"PATH": os.environ["PATH"], "HOME": str(folder), "XDG_STATE_HOME": str(folder / "state"),
                   "CUSTOMER_IMPORT_TOKEN": "a-token-of-the-bench"}
    begun = time.monotonic()
    with open(folder / "said", "wb") as said:
        child = subprocess.Popen([program, *args], cwd=folder, env=environment, stdin=subprocess.DEVNULL, stdout=said, stderr=said)
        _, status, used = os.wait4(child.pid, 0)
    seconds = time.monotonic() - begun
    code = os.waitstatus_to_exitcode(status)
    child.returncode = code
    if code not in allowed:
        sys.exit(f"{program} {' '.join(args)} ended with {code}:\n{(folder / 'said').read_text(errors='replace')}")
    return seconds, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024


def best(programs, rounds, measure):
    """Measures all in turns; returns the smallest of each figure for each program."""
    results = [[measure(program) for program in programs] for _ in range(rounds)]
    return [tuple(min(figures) for figures in zip(*(result[i] for result in results))) for i in range(len(programs))]


def row(what, figures):
    print(f"| {what} | " + " | ".join(figures) + " |", flush=True)


def timed(seconds, cpu, memory):
    return f"{seconds:.2f} s, CPU {cpu:.2f} s, {memory:.1f} MiB"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--check-rows", type=int, default=10_000_000)
    parser.add_argument("programs", nargs="*", default=[str(ROOT / "target/release/customer-import")])
    options = parser.parse_args()
    programs = [str(pathlib.Path(program).resolve()) for program in options.programs]
    folder = pathlib.Path(tempfile.mkdtemp())
    server = Server()
    try:
        measure_all(programs, options.rows, options.check_rows, folder, server)
    finally:
        server.stop()
        shutil.rmtree(folder)


def measure_all(programs, rows, check_rows, folder, server):
    row("what", [pathlib.Path(program).name for program in programs])
    row("---", ["---"] * len(programs))

    empty = min(best(["true"], 51, lambda program: run(shutil.which(program), [], folder)))
    write(folder / "ten.csv", 10)
    for what, args in [("`--help`", ["--help"]), ("`check` of 10 rows", ["check", "ten.csv"])]:
        figures = best(programs, 51, lambda program: run(program, args, folder))
        row(f"{what}, beyond an empty process", [f"{1000 * (seconds - empty[0]):.1f} ms" for seconds, _, _ in figures])

    of_a_row = {}
    for count in sorted({10_000, rows, check_rows}):
        write(folder / "in.csv", count)
        figures = best(programs, 5 if count <= rows else 3, lambda program: run(program, ["check", "in.csv"], folder))
        of_a_row[count] = [cpu / count for _, cpu, _ in figures]
        row(f"`check` of {count:,} rows", [timed(*figure) for figure in figures])
    growth = zip(of_a_row[check_rows], of_a_row[rows])
    row(f"`check`, CPU a row at {check_rows:,} / {rows:,}", [f"{large / small:.2f}" for large, small in growth])

    clean = None
    for kind in KINDS:
        write(folder / "in.csv", 400_000, kind)
        figures = best(programs, 5, lambda program: run(program, ["check", "in.csv"], folder, (0, 1)))
        clean = clean or figures
        row(f"`check` of 400,000 rows, {kind}, of the speed of the clean file",
            [f"{base[0] / seconds:.2f} ({seconds:.2f} s, CPU {cpu:.2f} s)" for base, (seconds, cpu, _) in zip(clean, figures)])

    imported = {}
    for count in sorted({10_000, 100_000, rows}):
        write(folder / "in.csv", count)
        arguments = ["import", "in.csv", "--base-url", server.url, "--rate", "1000000/s", "--concurrency", "64", "--report", "r.csv"]
        figures = []
        for number, program in enumerate(programs):
            ledger = f"{number}-{count}.db"
            figures.append((*run(program, [*arguments, "--ledger", ledger], folder), (folder / ledger).stat().st_size / count))
        imported[count] = figures
        row(f"`import` of {count:,} new rows, 64 in flight",
            [f"{timed(*figure[:3])}, ledger {figure[3]:,.0f} bytes a row" for figure in figures])
    row(f"`import`, CPU a row at {rows:,} / 100,000",
        [f"{large[1] / small[1] / (rows / 100_000):.2f}" for large, small in zip(imported[rows], imported[100_000])])
    row(f"`import`, memory at {rows:,} / 10,000",
        [f"{large[2] / small[2]:.2f}" for large, small in zip(imported[rows], imported[10_000])])

    def each(args, rounds=1):
        results = []
        for number, program in enumerate(programs):
            numbered = [arg.replace("LEDGER", f"{number}-{rows}.db") for arg in args]
            results.append(best([program], rounds, lambda program: run(program, numbered, folder))[0])
        return [timed(*figure) for figure in results]

    again = ["--base-url", server.url, "--ledger", "LEDGER"]
    row(f"a night of {rows:,} known rows", each(["import", "in.csv", *again, "--report", "r.csv"], 2))
    row(f"`report` of {rows:,} rows", each(["report", "in.csv", *again, "--report", "r.csv"], 3))
    row(f"10 known rows into a ledger of {rows:,}", each(["import", "ten.csv", *again, "--report", "r.csv"], 5))


if __name__ == "__main__":
    main()
