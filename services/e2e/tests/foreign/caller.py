"""A foreign client: calls a server as the standard Python client does.

Takes orders and tells outcomes, one JSON object a line. Messages are what the server's reflection says they are,
or StringValue for an order that says "plain".
"""

import json
import sys

import grpc
from google.protobuf import descriptor_pool, json_format, message_factory, wrappers_pb2
from google.rpc import error_details_pb2  # noqa: F401  the details of errors are told as JSON too
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import (
    ProtoReflectionDescriptorDatabase,
)
from grpc_status import rpc_status

channels = {}


def channel(order):
    """One channel for each target and way of calling, kept for the orders that follow."""
    options = [tuple(option) for option in order.get("options", [])]
    if "config" in order:
        options.append(("grpc.service_config", json.dumps(order["config"])))
    gzip = grpc.Compression.Gzip if order.get("gzip") else None
    key = json.dumps([order["target"], options, bool(gzip)])
    if key not in channels:
        channels[key] = grpc.insecure_channel(order["target"], options, gzip)
    return channels[key]


def types(order):
    """The messages of a method: what it takes, what it gives."""
    if order.get("plain"):
        return wrappers_pb2.StringValue, wrappers_pb2.StringValue
    service, method = order["method"].strip("/").split("/")
    database = ProtoReflectionDescriptorDatabase(channel(order))
    pool = descriptor_pool.DescriptorPool(database)
    found = pool.FindServiceByName(service).FindMethodByName(method)
    classes = message_factory.GetMessageClass
    return classes(found.input_type), classes(found.output_type)


def read(request_type, value):
    if request_type is wrappers_pb2.StringValue:
        return request_type(value=value)
    return json_format.ParseDict(value, request_type())


def show(message):
    return json_format.MessageToDict(message, preserving_proto_field_name=True)


def metadata(pairs):
    texts = lambda value: value if isinstance(value, str) else value.hex()
    return {key: texts(value) for key, value in pairs or ()}


def call(order):
    request_type, reply_type = types(order)
    kind = order.get("kind", "unary_unary")
    how = {
        "timeout": order.get("timeout", 30),
        "metadata": [tuple(pair) for pair in order.get("metadata", [])],
    }
    method = getattr(channel(order), kind)(
        order["method"], request_type.SerializeToString, reply_type.FromString
    )
    if kind.startswith("stream"):
        request = iter([read(request_type, one) for one in order["requests"]])
    else:
        request = read(request_type, order.get("request", {}))
    replies, wanted = [], order.get("replies")
    try:
        if kind.endswith("stream"):
            running = method(request, **how)
            for reply in running:
                replies.append(show(reply))
                if order.get("opened") and len(replies) == 1:
                    print(json.dumps({"opened": replies[0]}), flush=True)
                if len(replies) == wanted:
                    running.cancel()
                    break
        else:
            reply, running = method.with_call(request, **how)
            replies.append(show(reply))
    except grpc.RpcError as error:
        running = error
    status = rpc_status.from_call(running) if running.code() != grpc.StatusCode.OK else None
    return {
        "code": running.code().name,
        "message": running.details(),
        "details": [show(one) for one in status.details] if status else [],
        "replies": replies,
        "initial": metadata(running.initial_metadata()),
        "trailing": metadata(running.trailing_metadata()),
    }


for line in sys.stdin:
    order = json.loads(line)
    print(json.dumps(call(order)), flush=True)
