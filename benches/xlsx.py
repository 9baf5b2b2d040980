#!/usr/bin/env python3
"""Time, processor time and peak memory of workbooks, as input and as report, beside the same table as CSV.

    cargo build --release --bin customer-import && benches/xlsx.py [ROWS, 1000000]

It makes one table of made-up customers in three files: CSV, a workbook with shared texts (as Excel and LibreOffice save
it) and one with inline texts (as many export programs do). `check` reads each of them, then writes a report. The best of
three runs counts.
"""

import os
import sys
import tempfile
import time
import zipfile
from pathlib import Path
from xml.sax.saxutils import escape

ROWS = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
ROUNDS = 3
PROGRAM = Path(__file__).resolve().parent.parent / os.environ.get("CARGO_TARGET_DIR", "target") / "release/customer-import"
HEADER = ["id", "customer_name", "customer_email", "customer_phone", "customer_country", "customer_type",
          "Street", "City", "Customer since", "Notes"]
NAMES = ["Ada Lovelace", "Jürgen Groß", "Nguyễn Thị Minh Khai", "María José Núñez", "山田 花子", "Zoë O’Connor-Smith"]
COUNTRIES = [("DEU", "+4915"), ("FRA", "+336"), ("ESP", "+346"), ("GBR", "+4474"), ("AUT", "+43664")]
LETTERS = "ABCDEFGHIJ"
# The places of the columns that are numbers: an id, and a day as a spreadsheet counts it.
ID, SINCE = 0, 8


def row(n):
    country, prefix = COUNTRIES[n % len(COUNTRIES)]
    digits = {"DEU": 9, "FRA": 8, "ESP": 8, "GBR": 8, "AUT": 7}[country]
    phone = f"{prefix}{10 ** (digits - 1) + n * 7 % (8 * 10 ** (digits - 2)):0{digits}}"
    name = f"{NAMES[n % len(NAMES)]} {n % 5000}"
    kind = "business" if n % 10 == 0 else "individual"
    return [str(n), name, f"p{n}@post.zz", phone, country, kind, f"Example Street {n % 20000}", f"City {n % 800}",
            str(40000 + n % 5000), "" if n % 3 else "called back, please send the papers again"]


def write_csv(path):
    import csv
    with open(path, "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(HEADER)
        writer.writerows(row(n) for n in range(ROWS))


def sheet_rows(text):
    """The XML of the rows; `text` is that of a cell with a text."""
    yield '<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetData><row r="1">'
    yield "".join(text(f"{letter}1", name) for letter, name in zip(LETTERS, HEADER)) + "</row>"
    for n in range(ROWS):
        line, cells = n + 2, []
        for place, cell in enumerate(row(n)):
            at = f"{LETTERS[place]}{line}"
            if place in (ID, SINCE):
                style = ' s="1"' if place == SINCE else ""
                cells.append(f'<c r="{at}"{style}><v>{cell}</v></c>')
            elif cell:
                cells.append(text(at, cell))
        yield f'<row r="{line}" spans="1:10">{"".join(cells)}</row>'
    yield "</sheetData></worksheet>"


def write_workbook(path, is_shared):
    package = "http://schemas.openxmlformats.org/package/2006"
    office = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
    main = 'xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"'
    places = {}

    def shared(at, cell):
        return f'<c r="{at}" t="s"><v>{places.setdefault(cell, len(places))}</v></c>'

    def inline(at, cell):
        return f'<c r="{at}" t="inlineStr"><is><t>{escape(cell)}</t></is></c>'

    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=6) as book:
        book.writestr("[Content_Types].xml", f'<Types xmlns="{package}/content-types"/>')
        book.writestr("_rels/.rels", f'<Relationships xmlns="{package}/relationships"><Relationship Id="r1" '
                      f'Type="{office}/officeDocument" Target="xl/workbook.xml"/></Relationships>')
        book.writestr("xl/workbook.xml", f'<workbook {main} xmlns:r="{office}"><sheets><sheet name="Customers" '
                      'sheetId="1" r:id="r1"/></sheets></workbook>')
        relations = [("r1", "worksheet", "worksheets/sheet1.xml"), ("r2", "styles", "styles.xml"),
                     ("r3", "sharedStrings", "sharedStrings.xml")]
        book.writestr("xl/_rels/workbook.xml.rels", f'<Relationships xmlns="{package}/relationships">' + "".join(
            f'<Relationship Id="{name}" Type="{office}/{kind}" Target="{target}"/>' for name, kind, target in relations
        ) + "</Relationships>")
        book.writestr("xl/styles.xml", f'<styleSheet {main}><cellXfs><xf numFmtId="0"/><xf numFmtId="14"/></cellXfs></styleSheet>')
        with book.open("xl/worksheets/sheet1.xml", "w", force_zip64=True) as part:
            for piece in sheet_rows(shared if is_shared else inline):
                part.write(piece.encode())
        with book.open("xl/sharedStrings.xml", "w", force_zip64=True) as part:
            part.write(f"<sst {main}>".encode())
            for cell in places:
                part.write(f"<si><t>{escape(cell)}</t></si>".encode())
            part.write(b"</sst>")


def measured(*arguments):
    """Wall and processor seconds of the best run, and its peak memory in MiB."""
    runs = []
    for _ in range(ROUNDS):
        began = time.monotonic()
        child = os.posix_spawn(PROGRAM, [str(PROGRAM), *map(str, arguments)], os.environ, file_actions=[
            (os.POSIX_SPAWN_OPEN, 1, "out", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600),
            (os.POSIX_SPAWN_OPEN, 2, "err", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)])
        _, status, used = os.wait4(child, 0)
        if os.waitstatus_to_exitcode(status) != 0:
            sys.exit(Path("out").read_text() + Path("err").read_text())
        runs.append((time.monotonic() - began, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024))
    return min(runs)


def write_all():
    """Makes the files in a process of its own, because a program that is started begins with the peak memory of this one."""
    child = os.fork()
    if child == 0:
        write_csv("table.csv")
        write_workbook("shared.xlsx", True)
        write_workbook("inline.xlsx", False)
        os._exit(0)
    if os.waitpid(child, 0)[1] != 0:
        sys.exit("the files could not be written")


def main():
    folder = tempfile.TemporaryDirectory()
    os.chdir(folder.name)
    write_all()
    mib = lambda path: os.stat(path).st_size / (1 << 20)
    print(f"{ROWS} rows; load {os.getloadavg()[0]:.1f}")
    print(f"{'what':40} {'file':>9} {'wall':>8} {'CPU':>8} {'peak memory':>12}")
    for name, path, arguments in [
        ("check, CSV", "table.csv", ["check", "table.csv"]),
        ("check, workbook with inline texts", "inline.xlsx", ["check", "inline.xlsx"]),
        ("check, workbook with shared texts", "shared.xlsx", ["check", "shared.xlsx"]),
        ("check of the CSV, CSV report", "report.csv", ["check", "table.csv", "--report", "report.csv"]),
        ("check of the CSV, XLSX report", "report.xlsx", ["check", "table.csv", "--report", "report.xlsx"]),
    ]:
        wall, processor, memory = measured(*arguments)
        print(f"{name:40} {mib(path):5.1f} MiB {wall:6.2f} s {processor:6.2f} s {memory:8.1f} MiB", flush=True)


main()
