#!/usr/bin/env python3
"""Reads one report in CSV, XLSX and NDJSON with the tools that people use, and compares the values.

    customer-import import customers.csv --sandbox --report r.csv --report r.xlsx --report r.ndjson
    python3 examples/read_back.py r

Each tool finds delimiter, quotes, encoding and header by itself; it is only asked for texts instead of
numbers and dates. Then the escapes of docs/reference/report.md are undone. Line breaks within a cell
are compared as line breaks, because LibreOffice has only one kind. Whatever is not installed (pandas
with openpyxl, DuckDB with its excel extension, Miller, LibreOffice) is named and skipped. Exits with 1
if a tool reads another value than the NDJSON has.
"""

import csv
import json
import re
import shutil
import subprocess
import sys
import tempfile
import unicodedata
from pathlib import Path

SIGNS = "=+-@＝＋－＠﹦﹢﹣﹫"
QUOTES = "\"'`´‘’“”„«»＂＇"


def is_skipped(character):
    return character.isspace() or character in QUOTES or unicodedata.category(character) in ("Cf", "Cc")


def is_number(text):
    digits = text.lstrip("+-")
    return len(text) - len(digits) <= 1 and digits[:1].isdigit() and all(c.isdigit() or c in ". " for c in digits)


def would_be_formula(text):
    text = text.lstrip("'")
    if text[:1] in ("\t", "\r", "\n"):
        return True
    rest = text
    while rest and is_skipped(rest[0]):
        rest = rest[1:]
    return rest[:1] != "" and rest[0] in SIGNS and not is_number(rest)


def of_csv(text):
    """Undoes the escape of CSV."""
    return text[1:] if text.startswith("'") and would_be_formula(text) else text


def of_xlsx(text):
    """Undoes the escape of XLSX, for libraries that leave it to their users."""
    return re.sub("_x([0-9A-Fa-f]{4})_", lambda found: chr(int(found[1], 16)), text)


def as_text(value):
    """A value of NDJSON as the other formats have it."""
    return "" if value is None else value if isinstance(value, str) else str(value)


def with_pandas(path):
    import pandas

    read = pandas.read_csv if path.suffix == ".csv" else pandas.read_excel
    return read(path, dtype=str, keep_default_na=False).to_dict("records")


def with_duckdb(path):
    import duckdb

    connection = duckdb.connect()
    if path.suffix == ".xlsx":
        connection.execute("INSTALL excel; LOAD excel")
    function = "read_csv" if path.suffix == ".csv" else "read_xlsx"
    cursor = connection.execute(f"SELECT * FROM {function}('{path}', all_varchar = true)")
    names = [column[0] for column in cursor.description]
    return [dict(zip(names, row)) for row in cursor.fetchall()]


def with_miller(path):
    done = subprocess.run(["mlr", "--icsv", "--ojson", "-S", "cat", path], capture_output=True, text=True, check=True)
    return json.loads(done.stdout, strict=False)


def with_libreoffice(path):
    with tempfile.TemporaryDirectory() as folder:
        profile = f"-env:UserInstallation=file://{folder}/profile"
        texts = "/".join(f"{column}/2" for column in range(1, 200))
        opening = [f"--infilter=CSV:44,34,76,1,{texts}"] if path.suffix == ".csv" else []
        saving = "csv:Text - txt - csv (StarCalc):44,34,76,1,,0,true,false,false"
        command = ["soffice", profile, "--headless", *opening, "--convert-to", saving, "--outdir", folder, path]
        subprocess.run(command, capture_output=True, check=True)
        with open(Path(folder, f"{path.stem}.csv"), newline="", encoding="utf-8-sig") as file:
            return list(csv.DictReader(file))


def as_read(text):
    return text


TOOLS = [
    ("pandas", with_pandas, {".csv": of_csv, ".xlsx": of_xlsx}),
    ("DuckDB", with_duckdb, {".csv": of_csv, ".xlsx": of_xlsx}),
    ("Miller", with_miller, {".csv": of_csv}),
    ("LibreOffice", with_libreoffice, {".csv": of_csv, ".xlsx": as_read}),
]


def is_installed(name):
    try:
        programs = {"Miller": "mlr", "LibreOffice": "soffice"}
        if name in programs:
            return shutil.which(programs[name]) is not None
        __import__(name.lower())
        return True
    except ImportError:
        return False


def with_one_break(text):
    return text.replace("\r\n", "\n").replace("\r", "\n")


def differences(wanted, found, undo):
    if len(wanted) != len(found):
        yield f"{len(found)} rows instead of {len(wanted)}"
        return
    for number, (want, row) in enumerate(zip(wanted, found), 1):
        for name, value in want.items():
            read = undo(as_text(row.get(name)))
            if name != "data" and with_one_break(read) != with_one_break(as_text(value)):
                yield f"row {number}, {name}: {read!r} instead of {as_text(value)!r}"


def main():
    stem = Path(sys.argv[1]).absolute()
    lines = stem.with_name(stem.name + ".ndjson").read_text(encoding="utf-8").split("\n")
    wanted = [json.loads(line) for line in lines if line]
    failed = False
    for name, read, endings in TOOLS:
        if not is_installed(name):
            print(f"skipped: there is no {name}")
            continue
        for ending, undo in endings.items():
            try:
                wrong = list(differences(wanted, read(stem.with_name(stem.name + ending)), undo))
            except Exception as error:
                print(f"skipped: {name} cannot read {ending}: {str(error).splitlines()[0]}")
                continue
            failed |= bool(wrong)
            print(f"{name} {ending}: {len(wrong)} of {len(wanted)} rows differ" if wrong else f"{name} {ending}: the same")
            for line in wrong[:5]:
                print(f"  {line}")
    sys.exit(failed)


if __name__ == "__main__":
    main()
