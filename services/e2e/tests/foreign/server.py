"""A foreign server: answers as the standard Python server does.

Prints where it listens; each request is a script for its own call, and each answer tells what the server saw of it.
Orders come one JSON object a line: {"stop": GRACE} ends the server as it would end itself, {"seen": true} tells
the calls so far.
"""

import json
import sys
import threading
import time
from concurrent import futures

import grpc
from google.protobuf import any_pb2, wrappers_pb2
from google.rpc import error_details_pb2, status_pb2
from grpc_status import rpc_status

lock = threading.Lock()
attempts = {}  # by the key of a call
cancelled = []


def tell(value):
    print(json.dumps(value), flush=True)


def saw(context):
    """What the call looks like from here."""
    return {
        "metadata": {key: value for key, value in context.invocation_metadata() if isinstance(value, str)},
        "remaining": context.time_remaining(),
    }


def refuse(script, code, context):
    """Ends the call with a code, in headers alone unless some have gone out already."""
    if "pushback" in script:
        context.set_trailing_metadata([("grpc-retry-pushback-ms", str(script["pushback"]))])
    if "reason" not in script:
        context.abort(grpc.StatusCode[code], script.get("message", "refused by script"))
    detail = any_pb2.Any()
    detail.Pack(error_details_pb2.ErrorInfo(reason=script["reason"], domain="script.test"))
    number = grpc.StatusCode[code].value[0]
    status = status_pb2.Status(code=number, message=script.get("message", ""), details=[detail])
    context.abort_with_status(rpc_status.to_status(status))


def play(request, context):
    """The script of a call, up to its answer."""
    script = json.loads(request.value)
    key = script.get("key", "")
    with lock:
        number = attempts[key] = attempts.get(key, 0) + 1
    ended = threading.Event()
    context.add_callback(ended.set)
    if script.get("headers"):
        context.send_initial_metadata([("script", "headers first")])
    if script.get("gzip"):
        context.set_compression(grpc.Compression.Gzip)
    if "sleep" in script and ended.wait(script["sleep"]):
        with lock:
            cancelled.append(key)
    failures = script.get("fail", [])
    if number <= len(failures):
        refuse(script, failures[number - 1], context)
    return script


def unary(request, context):
    script = play(request, context)
    seen = saw(context) | {"filler": "x" * script.get("size", 0)}
    return wrappers_pb2.StringValue(value=json.dumps(seen))


def stream(request, context):
    script = play(request, context)
    for number in range(script.get("count", 0)):
        yield wrappers_pb2.StringValue(value=str(number))
        time.sleep(script.get("rest", 0))
    if "end" in script:
        refuse(script, script["end"], context)


class Handler(grpc.GenericRpcHandler):
    def service(self, details):
        string = wrappers_pb2.StringValue
        make = {
            "Read": grpc.unary_unary_rpc_method_handler,
            "Write": grpc.unary_unary_rpc_method_handler,
            "Follow": grpc.unary_stream_rpc_method_handler,
        }.get(details.method.rsplit("/", 1)[1])
        run = stream if make is grpc.unary_stream_rpc_method_handler else unary
        return make and make(run, string.FromString, string.SerializeToString)


def serve(port, options):
    server = grpc.server(futures.ThreadPoolExecutor(32), options=options)
    server.add_generic_rpc_handlers((Handler(),))
    port = server.add_insecure_port(f"127.0.0.1:{port}")
    server.start()
    return server, port


options = [tuple(option) for option in json.loads(sys.argv[1])]
server, port = serve(0, options)
tell({"port": port})
for line in sys.stdin:
    order = json.loads(line)
    if "stop" in order:
        server.stop(order["stop"]).wait()
    if "start" in order:
        server, port = serve(port, options)
    with lock:
        tell({"attempts": attempts, "cancelled": cancelled})
