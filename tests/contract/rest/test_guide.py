"""The guide to points over HTTP, typed in: every call of it does what it says."""

import re
import shlex
from pathlib import Path

GUIDE = (Path(__file__).parents[3] / "docs/guides/points-over-http.md").read_text(encoding="utf-8")
CALLS = re.findall(r"^```sh\n(curl .*?)^```", GUIDE, re.MULTILINE | re.DOTALL)


def call(desk, command, known):
    """Send what a curl command would."""
    for name, value in known.items():
        command = command.replace(name, str(value))
    words = shlex.split(command.replace('"Authorization: Bearer $SECOND_KEY"', '"second: 1"').replace("$HUB", "hub"))[
        1:
    ]
    sent = {"method": "GET", "headers": {}, "path": "", "content": None}
    while words:
        word = words.pop(0)
        if word == "-X":
            sent["method"] = words.pop(0)
        elif word == "-H":
            name, _, value = words.pop(0).partition(": ")
            sent["headers"][name.lower()] = value
        elif word == "-d":
            sent["method"], sent["content"] = "POST", words.pop(0).encode()
        else:
            sent["path"] = word.removeprefix("hub")
    headers = {name: value for name, value in sent["headers"].items() if name not in {"authorization", "second"}}
    key = known["second" if "second" in sent["headers"] else "first"]
    return desk.call(sent["method"], sent["path"], key=key, headers=headers, content=sent["content"])


def test_every_call_of_the_guide_is_answered(desk):
    known = {
        "GLOBAL_ID": desk.join(points=900),
        "OTHER_ID": desk.join(points=5),
        "first": desk.make_named_key("Till", "read", "redeem", "adjust"),
        "second": desk.make_named_key("Office", "adjust"),
    }
    codes = []
    for command in CALLS:
        answer = call(desk, command, known)
        assert answer.is_success, f"{command}\n{answer.text}"
        codes.append(answer.status_code)
        told = answer.json() if "json" in answer.headers["content-type"] else {}
        if isinstance(told, dict):
            known |= {name.upper(): told[name] for name in ("hold_id", "adjustment_id") if name in told}
    assert codes == [200, 200, 201, 201, 201, 201, 202, 200, 200, 200, 200]
