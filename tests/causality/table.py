#!/usr/bin/python3
"""table.py --update | --check: RESULTS.md and the README's support table are what results.json says.

results.json: the rows of a whole run, one object a line (make causality JSON=tests/causality/results.json)."""
import json
import os
import re
import sys

here = os.path.dirname(os.path.abspath(__file__))
top = os.path.dirname(os.path.dirname(here))


def rows():
    with open(os.path.join(here, "results.json")) as lines:
        return [json.loads(line) for line in lines]


def what(name):
    """The first line of a server's file says what it is."""
    for file in os.listdir(os.path.join(here, "servers")):
        if os.path.splitext(file)[0] == name:
            with open(os.path.join(here, "servers", file)) as text:
                line = text.readline() + text.readline()
            found = re.search(r"- (.*?)\.?\s*(?:\*/|\n|$)", line)
            return found[1] if found else ""
    return ""


def share(row):
    asked = row["correct"] + row["orphan"] + row["stitched"]
    if not asked:
        return "-"
    percent = 100 * row["correct"] / asked
    return "100" if row["correct"] == asked else "%.1f" % (int(percent * 10) / 10)


def results(data, levels):
    out = ["# Results of the accuracy rig", "",
           "Written by `make causality-table` from results.json: the last whole run, and later ones of servers that changed since. Per cent of the calls that were filed under",
           "the request that made them, by clients at once; the rest are orphans (no parent in the process), none is stitched.",
           "Calls of requests that their client gave up are left out where they are orphans.", "",
           "| server | " + " | ".join(levels) + " | calls | stitched | duplicate | missing | what it is |",
           "|---|" + "---|" * (len(levels) + 5)]
    for name in sorted(data):
        by = data[name]
        total = {key: sum(row[key] for row in by.values()) for key in ("stitched", "duplicate", "missing")}
        calls = sum(row["correct"] + row["orphan"] + row["stitched"] for row in by.values())
        cells = [share(by[level]) if level in by else "" for level in levels]
        out.append("| %s | %s | %d | %d | %d | %d | %s |" % (name, " | ".join(cells), calls, total["stitched"],
                                                             total["duplicate"], total["missing"], what(name)))
    return "\n".join(out) + "\n"


def support(data, levels):
    out = ["| server | 1 client | %s clients, at worst |" % " to ".join((levels[1], levels[-1])), "|---|---|---|"]
    for name in sorted(data):
        if name.startswith("neg_"):
            continue
        by = data[name]
        many = [row for level, row in by.items() if level != "1"]
        worst = min(many, key=lambda row: row["correct_percent"]) if many else None
        out.append("| %s: %s | %s | %s |" % (name, what(name), share(by["1"]) if "1" in by else "", share(worst) if worst else ""))
    return "\n".join(out) + "\n"


def main():
    data = {}
    for row in rows():
        data.setdefault(row["server"], {})[row["level"]] = row
    levels = sorted({level for by in data.values() for level in by}, key=int)
    readme = os.path.join(top, "README.md")
    with open(readme) as text:
        before = text.read()
    after = re.sub(r"(<!-- causality:.*?-->\n).*?(<!-- causality end -->)", lambda m: m[1] + support(data, levels) + m[2], before,
                   flags=re.S)
    report = os.path.join(here, "RESULTS.md")
    wanted = results(data, levels)
    if sys.argv[1:] == ["--update"]:
        with open(readme, "w") as text:
            text.write(after)
        with open(report, "w") as text:
            text.write(wanted)
        return
    with open(report) as text:
        if before != after or text.read() != wanted:
            sys.exit("causality: the tables differ from tests/causality/results.json; run make causality-table")


main()
