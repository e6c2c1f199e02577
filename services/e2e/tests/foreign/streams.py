"""A foreign client that holds many streams at one time: TARGET METHOD SOUGHT STREAMS CHANNELS.

Tells, one JSON object a line: how many streams have had their first message, how many have had one that holds
SOUGHT, and with which codes they ended.
"""

import asyncio
import collections
import json
import sys

import grpc

target, method, sought, streams, channels = sys.argv[1:]
streams, channels = int(streams), int(channels)
opened, seen, ended = 0, 0, collections.Counter()


def tell(what, value):
    print(json.dumps({what: value}), flush=True)


async def follow(channel):
    global opened, seen
    call = channel.unary_stream(method)(b"")
    first, waiting = True, True
    try:
        async for message in call:
            if first:
                first, opened = False, opened + 1
                if opened == streams:
                    tell("opened", opened)
            if waiting and sought.encode() in message:
                waiting, seen = False, seen + 1
                if seen == streams:
                    tell("seen", seen)
    except grpc.aio.AioRpcError:
        pass
    ended[(await call.code()).name] += 1


async def main():
    # Channels to one target share connections unless told otherwise.
    apart = [("grpc.use_local_subchannel_pool", 1)]
    pool = [grpc.aio.insecure_channel(target, options=apart) for _ in range(channels)]
    await asyncio.gather(*(follow(pool[number % channels]) for number in range(streams)))
    tell("ended", ended)


asyncio.run(main())
