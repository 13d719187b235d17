"""judge.py SPANS SEEN ABORTED LEVEL NAME [JSON]: whose child is each call, and whose is it in truth?

SPANS: OTLP JSON lines of the traced service; SEEN: what the downstream server wrote down. A request's id is in the path of
its SERVER span (/r/ID/...) and of each call made for it (/d/ID/N, or /r/ID/... where a proxy passes it on). Calls without an
id (a timer's, a background thread's) are /n/...: they have no right parent, so any is stitched.
Requests below 1000 came first, to warm the server up: what is told of them must be true, and counts for nothing else.
An orphan of a request that its client gave up counts for nothing: the request may have ended before the call.
Prints one line of the table; appends an object to JSON. Exits 1 on a stitched, duplicate or missing span.
"""
import collections
import json
import re
import sys

REQUEST = re.compile(r"/r/(\d+)")
CALL = re.compile(r"/(?:[rd]/\d+(?:/\d+)?|n/\w+)")
ID = re.compile(r"/[rd]/(\d+)")
AMBIGUITY = "tagalong.parent.ambiguity"  # why tagalong.parent.ambiguous


def spans_of(path):
    with open(path, "rb") as lines:
        for line in lines:
            for resource in json.loads(line).get("resourceSpans", ()):
                for scope in resource["scopeSpans"]:
                    yield from scope["spans"]


def path_of(span):
    for attribute in span.get("attributes", ()):
        if attribute["key"] in ("url.path", "url.full", "tagalong.path"):
            text = attribute["value"]["stringValue"]
            return re.sub(r"^\w+://[^/]*", "", text)
        if attribute["key"] == "db.query.text":
            return attribute["value"]["stringValue"].removeprefix("GET ").removeprefix("SELECT '")
    return ""


def main():
    spans, seen, aborted, level, name = sys.argv[1:6]
    with open(aborted) as lines:
        aborted = set(lines.read().split())
    server, client = {}, []
    for span in spans_of(spans):
        if span["kind"] == 2:
            server[span["spanId"]] = path_of(span)
        elif span["kind"] == 3:
            why = [a["value"]["stringValue"] for a in span.get("attributes", ()) if a["key"] == AMBIGUITY]
            client.append((span["spanId"], span.get("parentSpanId", ""), path_of(span), why))
    sights, wire = collections.Counter(), {}
    with open(seen) as lines:
        for line in lines:
            path, parent = line.split()
            match = CALL.match(path)
            if match:
                sights[match[0]] += 1
                if parent != "-":
                    wire[parent] = match[0]
    count = collections.Counter()
    told, examples = collections.Counter(), []
    reasons = collections.Counter()
    for span, parent, path, why in client:
        match = CALL.match(path)
        if not match:
            continue
        told[match[0]] += 1
        number = ID.match(path)
        asker = REQUEST.search(server.get(parent, ""))
        if parent in server and (not number or not asker or asker[1] != number[1]):
            count["stitched"] += 1
            examples.append(f"{path} under {server[parent]}")
        elif number and int(number[1]) < 1000:
            count["warm"] += 1
        elif parent in server:
            count["correct"] += 1
        elif number and number[1] in aborted:
            count["given_up"] += 1
        elif number:
            count["orphan"] += 1
            count["ambiguous"] += len(why)
            reasons.update(why)
        else:
            count["nobodys"] += 1
        if wire.get(span, match[0]) != match[0]:
            count["stitched"] += 1
            examples.append(f"{path} went out as the span of {wire[span]}")
    for path, n in told.items():
        if n > max(sights[path], 1):
            count["duplicate"] += n - max(sights[path], 1)
            examples.append(f"{path} twice")
    for path, n in sights.items():
        if n > told[path]:
            count["missing"] += n - told[path]
            examples.append(f"{path} missing")
    asked = count["correct"] + count["orphan"] + count["stitched"]
    share = 100.0 * count["correct"] / asked if asked else 0.0
    row = {"server": name, "level": level, "correct_percent": round(share, 2), "server_spans": len(server)}
    for key in ("correct", "orphan", "ambiguous", "stitched", "duplicate", "missing", "given_up", "nobodys"):
        row[key] = count[key]
    if reasons:
        row["reasons"] = dict(sorted(reasons.items()))
    print("%-26s %5s %8d %8d %9d %8d %9d %7d   %6.2f %%" % (name, level, count["correct"], count["orphan"], count["ambiguous"],
          count["stitched"], count["duplicate"], count["missing"], share))
    for example in examples[:5]:
        print("    " + example)
    if len(sys.argv) > 6:
        with open(sys.argv[6], "a") as out:
            out.write(json.dumps(row) + "\n")
    sys.exit(1 if count["stitched"] or count["duplicate"] or count["missing"] or not asked else 0)


main()
