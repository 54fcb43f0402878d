"""Write requirements.lock: every package that requirements.txt brings, at one version.

    make lock

pip resolves requirements.txt as if nothing were installed, and says what it would install; nothing
is.  Packages that only other systems need (colorama on Windows) are not named: as the file is used
as constraints, pip chooses them there by itself.
"""

import json
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
LOCK = ROOT / "requirements.lock"
HEAD = """\
# Every package of the book's environment, at the version that its results were made with.
# Written by `make lock` from requirements.txt, and used as constraints:
#     pip install -r requirements.txt -c requirements.lock
# Constraints install nothing by themselves: a line that a platform or a Python does not need does
# no harm there.
"""


def canonical(name):
    """PyYAML, pyyaml and PYYAML are one package."""
    return re.sub(r"[-_.]+", "-", name).lower()


def pins(text):
    """(name, version) of lines name==version, without extras, markers and comments."""
    return re.findall(r"^([\w.-]+)(?:\[[\w,.-]+\])?==([^\s;]+)", text, re.M)


def pinned(text):
    """{canonical name: version} of the same lines."""
    return {canonical(name): version for name, version in pins(text)}


def resolve(requirements=ROOT / "requirements.txt"):
    """{canonical name: version} of what pip would install into an empty environment."""
    command = [sys.executable, "-m", "pip", "install", "--dry-run", "--ignore-installed"]
    command += ["--quiet", "--disable-pip-version-check", "--report", "-", "-r", str(requirements)]
    report = json.loads(
        subprocess.run(command, check=True, stdout=subprocess.PIPE, encoding="utf-8").stdout
    )
    parts = (part["metadata"] for part in report["install"])
    return {canonical(part["name"]): part["version"] for part in parts}


def main():
    found = resolve()
    before = pinned(LOCK.read_text(encoding="utf-8")) if LOCK.exists() else {}
    body = "".join(f"{name}=={version}\n" for name, version in sorted(found.items()))
    LOCK.write_text(HEAD + body, encoding="utf-8", newline="\n")
    for name in sorted(found.keys() | before.keys()):
        if found.get(name) != before.get(name):
            print(f"{name}: {before.get(name, 'new')} -> {found.get(name, 'gone')}")
    print(f"{LOCK.name}: {len(found)} packages")


if __name__ == "__main__":
    main()
