#!/usr/bin/env python3
"""Makes a dictionary of src/ledger/sqlite/packed_receipt.rs: `python3 tools/receipt-dictionary.py OUTPUT`. It needs
the command zstd; version 1.5 made receipts-1.dictionary.

It is trained on made-up answers in the shapes of the API's documentation. Names, e-mails, phones and ids are
random, so no person's data is in it. A dictionary that ledgers were written with never changes: write a better
one to a new file, and add it to the list.
"""

import json
import random
import re
import string
import subprocess
import sys
import tempfile
from pathlib import Path

SAMPLES = 4000
SIZE = 4096
ID = rb"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"

made_up = random.Random(1)


def uuid():
    digits = "".join(made_up.choices("0123456789abcdef", k=32))
    return "-".join([digits[:8], digits[8:12], "4" + digits[13:16], "a" + digits[17:20], digits[20:]])


def token(length):
    return "".join(made_up.choices(string.ascii_letters + string.digits, k=length))


def word():
    return "".join(made_up.choices("abcdefghijklmnoprstuvwyz", k=made_up.randint(3, 9)))


def time(decimals):
    day = f"20{made_up.randint(24, 39)}-{made_up.randint(1, 12):02}-{made_up.randint(1, 28):02}"
    clock = f"{made_up.randint(0, 23):02}:{made_up.randint(0, 59):02}:{made_up.randint(0, 59):02}"
    return f"{day}T{clock}.{made_up.randrange(10**decimals):0{decimals}}Z"


def person():
    first, last = word().capitalize(), word().capitalize()
    email = f"{first}.{last}@{word()}.{made_up.choice(['com', 'de', 'org', 'net'])}".lower()
    return f"{first} {last}", email, "+" + "".join(made_up.choices(string.digits, k=made_up.randint(10, 13)))


def seed():
    """The document's own answer."""
    name, email, _ = person()
    own, customer = uuid(), uuid()
    status = made_up.choice(["not_started", "not_started", "pending", "approved", "incomplete"])
    kyc_link = (
        f"https://bridge.withpersona.com/verify?inquiry-template-id=itmpl_{token(24)}&fields[developer_id]={uuid()}"
        f"&fields[iqt_token]={uuid()}&reference-id={uuid()}"
        f"&redirect-uri=https%3A%2F%2Fbridge.withpersona.com%2Fverify&environment-id=env_{token(24)}"
    )
    data = {
        "id": own,
        "full_name": name,
        "email": email,
        "type": made_up.choice(["individual", "individual", "business"]),
        "kyc_link": kyc_link,
        "tos_link": f"https://dashboard.bridge.xyz/accept-terms-of-service?customer_id={uuid()}",
        "kyc_status": status,
        "rejection_reasons": [],
        "tos_status": made_up.choice(["pending", "pending", "approved"]),
        "created_at": time(3),
        "customer_id": customer,
        "persona_inquiry_type": "gov_id_db",
    }
    return packed(data)


def docs():
    """The answer of the reference pages, and of the public source with fewer members."""
    name, email, phone = person()
    data = {
        "customer_id": uuid(),
        "customer_name": name,
        "customer_email": email,
        "customer_phone": phone,
        "customer_country": "".join(made_up.choices(string.ascii_uppercase, k=3)),
        "customer_type": made_up.choice(["individual", "individual", "business"]),
        "customer_status": "active",
        "created_at": time(6),
    }
    if made_up.random() < 0.3:
        data = dict(list(data.items())[:5])
    return packed(data)


def listed():
    """A customer of the list."""
    name, email, phone = person()
    return packed({
        "customer_id": uuid(),
        "customer_name": name,
        "customer_email": email,
        "customer_phone": phone,
        "customer_country": "".join(made_up.choices(string.ascii_uppercase, k=3)),
        "customer_status": "active",
        "customer_kyc_status": made_up.choice(["not_started", "pending", "approved"]),
    })


def packed(data):
    kyc_status = data.get("kyc_status") or data.get("customer_kyc_status")
    texts = [json.dumps(data, separators=(",", ":"))]
    texts += [data.get("id"), data.get("kyc_link"), data.get("tos_link")]
    texts += [kyc_status, data.get("tos_status"), data.get("created_at")]
    lengths = b"".join(varint(0 if text is None else len(text.encode()) + 1) for text in texts)
    text = "".join(text for text in texts if text is not None)
    return lengths + re.sub(ID, lambda id: b"\xff" + bytes.fromhex(id[0].decode().replace("-", "")), text.encode())


def varint(value):
    if value < 128:
        return bytes([value])
    return bytes([value & 127 | 128]) + varint(value >> 7)


def main():
    with tempfile.TemporaryDirectory() as folder:
        paths = []
        for number in range(SAMPLES):
            shape = made_up.choices([seed, docs, listed], weights=[6, 3, 1])[0]
            path = Path(folder, str(number))
            path.write_bytes(shape())
            paths.append(str(path))
        list_of_paths = Path(folder, "list")
        list_of_paths.write_text("\n".join(paths))
        train = ["zstd", "-q", "-3", "--train-fastcover=accel=1", f"--maxdict={SIZE}", "--dictID=1"]
        subprocess.run([*train, "--filelist", str(list_of_paths), "-o", sys.argv[1]], check=True)


if __name__ == "__main__":
    main()
