"""Two ends of gRPC without generated code: methods that take and give bytes. Nothing of ours.

grpc_pair.py server PORT [UPSTREAM]    grpc_pair.py client TARGET CASE...
With PEM set, a file with key and certificate: inside TLS.
"""
import os
import sys
import threading
import time
from concurrent import futures

import grpc

PEM = open(os.environ["PEM"], "rb").read() if "PEM" in os.environ else None
SERVICE = "demo.v1.LongNamedInventoryServiceForTests"


def received(context):
    return [value for key, value in context.invocation_metadata() if key == "traceparent"]


class Handler(grpc.GenericRpcHandler):
    def __init__(self, upstream):
        self.channel = grpc.insecure_channel(upstream) if upstream else None
        if self.channel:  # connected before the first call: nothing to wait for on its way
            grpc.channel_ready_future(self.channel).result(timeout=60)

    def echo(self, request, context):
        return (";".join(received(context)) or "none").encode()

    def fail(self, request, context):
        context.abort(grpc.StatusCode[request.decode()], "as asked")

    def slow(self, request, context):
        if "GRPC_SLOW" in os.environ:
            with open(os.environ["GRPC_SLOW"], "w") as marker:
                marker.write("x")
        time.sleep(4)
        return b"late"

    def count(self, request, context):
        for number in range(3):
            yield b"%d" % number

    def total(self, requests, context):
        return b"%d" % sum(len(request) for request in requests)

    def chat(self, requests, context):
        for request in requests:
            yield request

    def relay(self, request, context):
        return self.channel.unary_unary(f"/{SERVICE}/Echo")(request, timeout=60)

    def service(self, details):
        name = details.method.rpartition("/")[2]
        unary = {"Echo": self.echo, "Fail": self.fail, "Slow": self.slow, "Relay": self.relay}
        if name in unary:
            return grpc.unary_unary_rpc_method_handler(unary[name])
        if name == "Count":
            return grpc.unary_stream_rpc_method_handler(self.count)
        if name == "Total":
            return grpc.stream_unary_rpc_method_handler(self.total)
        if name == "Chat":
            return grpc.stream_stream_rpc_method_handler(self.chat)
        return None


def serve(port, upstream):
    server = grpc.server(futures.ThreadPoolExecutor(max_workers=16))
    server.add_generic_rpc_handlers((Handler(upstream),))
    address = port if ":" in port else f"127.0.0.1:{port}"
    if PEM:
        bound = server.add_secure_port(address, grpc.ssl_server_credentials([(PEM, PEM)]))
    else:
        bound = server.add_insecure_port(address)
    if bound == 0:
        sys.exit("no port")
    server.start()
    server.wait_for_termination()


def code(call):
    try:
        return call()
    except grpc.RpcError as error:
        return error.code().name.encode()


def many(channel, count):
    """So many calls in flight at a time; each must see a context of its own."""
    echo = channel.unary_unary(f"/{SERVICE}/Echo")
    calls = [echo.future(b"x", timeout=20) for _ in range(count)]
    return b"%d" % len({call.result() for call in calls})


def relays(channel, count):
    """Each with a context of its own, which the far end of its own call answers with, or a new one: never another's."""
    call = channel.unary_unary(f"/{SERVICE}/Relay")
    sent = [f"{number:032x}" for number in range(1, count + 1)]
    calls = [call.future(b"x", timeout=20, metadata=[("traceparent", f"00-{trace}-{trace[16:]}-01")]) for trace in sent]
    told = [call.result().decode().split("-")[1] for call in calls]
    exact = sum(a == b for a, b in zip(sent, told))
    stitched = sum(a != b and b in sent for a, b in zip(sent, told))
    return f"{exact + stitched + sum(b not in sent for b in told)} done, {stitched} stitched, {len(set(told))} apart".encode()


def perform(channel, case):
    path = f"/{SERVICE}/"
    unary = {"echo": "Echo", "relay": "Relay", "missing": "NoSuchMethod"}
    if case in unary:
        return code(lambda: channel.unary_unary(path + unary[case])(b"x", timeout=60))
    if case.isupper():
        return code(lambda: channel.unary_unary(path + "Fail")(case.encode(), timeout=60))
    if case == "count":
        return b",".join(channel.unary_stream(path + "Count")(b"x", timeout=60))
    if case == "total":
        return channel.stream_unary(path + "Total")(iter([b"ab", b"cde"]), timeout=60)
    if case == "chat":
        return b",".join(channel.stream_stream(path + "Chat")(iter([b"a", b"b", b"c"]), timeout=60))
    if case == "deadline":
        return code(lambda: channel.unary_unary(path + "Slow")(b"x", timeout=1))
    if case == "cancel":
        call = channel.unary_unary(path + "Slow").future(b"x", timeout=30)
        threading.Timer(1, call.cancel).start()
        try:
            return call.result()
        except grpc.FutureCancelledError:
            return b"CANCELLED"
    if case == "lost":
        return code(lambda: channel.unary_unary(path + "Slow")(b"x", timeout=60))
    if case.startswith("relay:"):
        return relays(channel, int(case[6:]))
    return many(channel, int(case))


def main():
    if sys.argv[1] == "server":
        serve(sys.argv[2], sys.argv[3] if len(sys.argv) > 3 else None)
        return
    target = sys.argv[2]
    with grpc.secure_channel(target, grpc.ssl_channel_credentials(PEM)) if PEM else grpc.insecure_channel(target) as channel:
        grpc.channel_ready_future(channel).result(timeout=60)
        for case in sys.argv[3:]:
            print(case, perform(channel, case).decode(), flush=True)


main()
