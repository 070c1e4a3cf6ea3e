"""What the page's server holds and survives: memory over many uploads, many clients at once, a computing process that is killed.

    python bench/page_load.py [--uploads 500] [--clients 50]

Starts `pellucid serve` as a user does. Memory is that of the server and its children together (proportional set size, Linux).
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from io import BytesIO

import machine
import numpy as np
from page_client import Client, Started, command_line, family, started
from PIL import Image

GROWTH_MB = 50


def photograph(seed: int) -> bytes:
    """A picture that no other seed has, as a JPEG of 640 x 480 pixels."""
    rough = np.random.default_rng(seed).integers(0, 256, (12, 16, 3), dtype=np.uint8)
    out = BytesIO()
    Image.fromarray(rough).resize((640, 480), Image.Resampling.BICUBIC).save(out, "JPEG", quality=90)
    return out.getvalue()


def visit(client: Client, seed: int) -> None:
    """One picture: dropped, explained, looked at, left behind."""
    name = client.upload(photograph(seed))
    client.document("explanations", input=name, method=("lrp", "gradient", "sensitivity")[seed % 3])
    client("GET", f"/v1/inputs/{name}/picture")
    if seed % 2:
        client("DELETE", f"/v1/inputs/{name}")


def growth(server: Started, uploads: int, warm: int = 50) -> float:
    """By how many megabytes the memory has grown, after what was the same work before."""
    for seed in range(warm):
        visit(server.client, seed)
    before = server.resident()
    print(f"{warm} uploads: {before / 1e6:,.0f} MB", flush=True)
    for seed in range(warm, warm + uploads):
        visit(server.client, seed)
        if (seed - warm) % 100 == 99:
            print(f"{seed + 1} uploads: {server.resident() / 1e6:,.0f} MB", flush=True)
    return (server.resident() - before) / 1e6


def attempt(client: Client, name: str, number: int) -> str:
    """What one of many clients gets: the end of its task, or a refusal with the time to come again."""
    body = b'{"input": "%s", "method": "gradient", "target": %d}' % (name.encode(), number)
    status, answer, headers = client.answer("POST", "/v1/explanations", body)
    if status == 429:
        return "429 with Retry-After" if int(headers["retry-after"]) > 0 else "429 alone"
    if status != 202:
        return str(status)
    *_, last = client.follow(json.loads(answer)["task"])
    return str(last["state"])


def together(server: Started, clients: int) -> Counter[str]:
    """What so many clients get that ask at once."""
    name = server.client.upload(photograph(0))
    with ThreadPoolExecutor(clients) as pool:
        return Counter(pool.map(partial(attempt, server.client, name), range(clients)))


def killed(server: Started) -> tuple[str, str]:
    """What is said of a task whose computing process is killed, and how the next one ends."""
    name = server.client.upload(photograph(1))
    task = server.client.submit("explanations", input=name, method="occlusion", settings={"window": "8", "stride": "4"})
    events = server.client.follow(task)
    for event in events:
        if event["state"] == "running":
            break
    time.sleep(0.5)
    for pid in family(server.process.pid):
        if "multiprocessing.spawn" in command_line(pid):
            os.kill(pid, signal.SIGKILL)
    *_, last = events
    *_, after = server.client.follow(server.client.submit("explanations", input=name, method="gradient"))
    return str(last["error"]["message"]), str(after["state"])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--uploads", type=int, default=500)
    parser.add_argument("--clients", type=int, default=50)
    options = parser.parse_args()
    print(f"{machine.versions()}. {machine.today()}. {machine.processor()}. Load {machine.load()}.", flush=True)
    with started() as server:
        grown = growth(server, options.uploads)
        print(f"{options.uploads} uploads more, each explained: {grown:+,.1f} MB (limit {GROWTH_MB} MB)")
        answers = together(server, options.clients)
        print(f"{options.clients} clients at once: {dict(answers)}")
        message, state = killed(server)
        print(f"The computing process killed: {message!r}; the next question: {state}")
    good = grown <= GROWTH_MB and set(answers) <= {"done", "429 with Retry-After"} and state == "done"
    raise SystemExit(not good)


if __name__ == "__main__":
    main()
