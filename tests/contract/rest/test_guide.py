"""The guide to points over HTTP, typed in: every call of it does what it says."""

import re
import shlex
from pathlib import Path

GUIDE = (Path(__file__).parents[3] / "docs/guides/points-over-http.md").read_text(encoding="utf-8")
CALLS = re.findall(r"^```sh\n(curl .*?)^```", GUIDE, re.MULTILINE | re.DOTALL)


def call(desk, command, known):
    """Send what a curl command would; `known` are the reader's values of the words in capitals."""
    for name in sorted(known, key=len, reverse=True):
        command = command.replace(name, str(known[name]))
    words = shlex.split(command)[1:]
    method, headers, path, body = "GET", {}, "", None
    while words:
        word = words.pop(0)
        if word == "-X":
            method = words.pop(0)
        elif word == "-H":
            name, _, value = words.pop(0).partition(": ")
            headers[name] = value
        elif word == "-d":
            method, body = "POST", words.pop(0).encode()
        else:
            path = word
    return desk.call(method, path, headers=headers, content=body)


def test_every_call_of_the_guide_is_answered(desk):
    known = {
        "$HUB": "",
        "GLOBAL_ID": desk.join(points=900),
        "OTHER_ID": desk.join(points=5),
        "$KEY": desk.make_named_key("Till", "read", "intake", "redeem", "adjust"),
        "$SECOND_KEY": desk.make_named_key("Office", "adjust"),
    }
    codes = []
    for command in CALLS:
        answer = call(desk, command, known)
        assert answer.is_success, f"{command}\n{answer.text}"
        codes.append(answer.status_code)
        told = answer.json() if "json" in answer.headers["content-type"] else {}
        known |= {name.upper(): told[name] for name in ("hold_id", "adjustment_id", "pool_id") if name in told}
        known |= {"VOUCHER_CODE": told["voucher"]["code"]} if "voucher" in told else {}
    assert codes == [
        *(200, 200, 200, 200, 201, 201, 201, 201, 200, 201, 201, 200, 201, 201, 201, 200, 201),
        *(201, 200, 200, 200, 202, 200),
        *(201, 200, 200, 200, 200),
    ]
