"""Audits and evaluations on the page and as one file, in a browser: the journeys of an auditor and of a researcher."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pellucid.cli.serve import open_store
from pellucid.serve.server import running
from pellucid.serve.settings import Settings
from pellucid.serve.stores import Opened
from . import audited
from .browser import AXE, Seen, browser, missing, visit
from .pages import press_to
from .served import JSON, Client

__all__ = ["browser", "visit"]  # fixtures
TARGET, CLUSTER = 0, 0  # the class with the mark, and its cluster
LASSO = "inputs inside the line"


@pytest.fixture(scope="module")
def stores(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    return audited.stores(tmp_path_factory.mktemp("audited"))


@pytest.fixture(scope="module")
def served(stores: tuple[Path, Path]) -> Iterator[Settings]:
    """One server with both stores, and the model of their runs."""
    opened = tuple(open_store(store, trust=False)[0] for store in stores)
    load = opened[0].load
    assert load is not None
    with running(Settings(load, "net", port=18970, stores=opened)) as settings:
        yield settings


@pytest.fixture
def client(served: Settings) -> Client:
    return Client(served)


@pytest.fixture
def page(served: Settings, browser: Any) -> Iterator[Seen]:
    """The page; whatever it complains of fails the test."""
    yield from watched(served, browser, dark=False)


@pytest.fixture
def dark_page(served: Settings, browser: Any) -> Iterator[Seen]:
    yield from watched(served, browser, dark=True)


def watched(served: Settings, browser: Any, *, dark: bool) -> Iterator[Seen]:
    context = browser.new_context(color_scheme="dark" if dark else "light", reduced_motion="reduce", accept_downloads=True)
    context.add_init_script(
        'window.violations = []; document.addEventListener("securitypolicyviolation", e => violations.push(e.blockedURI));'
    )
    seen, own = Seen(context.new_page()), (f"http://127.0.0.1:{served.port}/", "data:", "blob:")
    seen.page.set_default_timeout(45_000)
    seen.page.on("request", lambda request: None if request.url.startswith(own) else seen.requests.append(request.url))
    seen.page.on("console", lambda message: seen.messages.append(message.text) if message.type == "error" else None)
    seen.page.on("pageerror", lambda error: seen.messages.append(str(error)))
    seen.page.on("dialog", lambda dialog: (seen.messages.append("a dialog"), dialog.dismiss()))
    seen.page.goto(served.address)
    seen.page.get_by_role("link", name="Audit").wait_for()
    yield seen
    assert seen.complaints() == []
    context.close()


def run_of(client: Client, kind: str) -> str:
    """The id of the audit or the evaluation."""
    return next(str(one["run"]) for one in client("GET", "/v1/runs").json if one["kind"] == kind)


def lasso(page: Any) -> int:
    """Draw a line around all points, and say how many it holds."""
    field = page.locator(".field-of-points")
    field.scroll_into_view_if_needed()
    page.locator(".field-of-points canvas").wait_for()
    box = field.bounding_box()
    left, top, right, bottom = box["x"] + 2, box["y"] + 2, box["x"] + box["width"] - 2, box["y"] + box["height"] - 2
    page.mouse.move(left, top)
    page.mouse.down()
    for x, y in ((right, top), (right, bottom), (left, bottom), (left, top)):
        page.mouse.move(x, y, steps=3)
    page.mouse.up()
    heading = page.get_by_role("heading", name=LASSO)
    heading.wait_for()
    return int(re.findall(r"\d+", heading.inner_text())[0])


def open_cluster(page: Any) -> None:
    page.get_by_role("link", name="Audit").click()
    page.get_by_role("link", name=f"Cluster {CLUSTER}", exact=True).click()
    page.get_by_role("heading", name="Does the network use it?").wait_for()


# -- the auditor ----------------------------------------------------------------------------------------------------------------


def test_an_auditor_goes_from_the_classes_to_the_decision_and_the_report(page: Seen, client: Client, visit: Any, tmp_path: Path):
    it = page.page
    it.get_by_role("link", name="Audit").click()
    classes = it.get_by_role("table", name="Classes, the most suspicious first").locator("tbody tr")
    classes.first.wait_for()
    assert classes.first.get_by_role("link").first.inner_text() == "cross" and classes.count() == 3
    assert classes.filter(has_text=audited.HOSTILE).count() == 1  # a name that is markup is text
    classes.first.get_by_role("button", name="40").click()
    it.get_by_role("heading", name="40 explained as cross").wait_for()
    classes.first.get_by_role("link").first.click()
    it.get_by_role("heading", name="cross: 40 inputs").wait_for()
    it.get_by_role("link", name=f"Cluster {CLUSTER}", exact=True).click()
    it.get_by_role("heading", name="explained as cross").wait_for()
    assert "100% scanner B" in it.locator("article header").inner_text()
    assert "artefact" not in it.locator("body").inner_text().lower()  # before any test
    nearest = it.get_by_role("list", name="Nearest to the centre").get_by_role("listitem")
    nearest.first.wait_for()
    assert nearest.count() == audited.MARKED
    assert lasso(it) == audited.EACH
    shown = it.get_by_role("list", name=LASSO).get_by_role("button")
    shown.nth(23).wait_for()
    assert {one.get_attribute("title").split("/")[0] for one in shown.all()} == {"cross"}
    shown.first.click()
    assert it.locator(".one-item strong").inner_text() == shown.first.get_attribute("title")
    it.get_by_role("button", name="Explain this one").click()
    it.locator(".opened h1").wait_for()
    it.get_by_role("button", name="Close").click()
    it.get_by_role("button", name="Test it").click()
    it.get_by_text("Confirmed by intervention: it is an artefact.").wait_for()
    effects = it.get_by_role("table", name="What the test measured").locator("tbody tr")
    assert effects.count() == 2 and "10 of 10" in effects.first.inner_text()
    it.get_by_role("radio", name="Artefact").check()
    it.get_by_label("Your name").fill("Ada <b>")
    it.get_by_label("Note").fill("A burnt-in mark of scanner B.\n</script>")
    it.get_by_role("button", name="Keep the decision").click()
    it.get_by_text("Kept.").wait_for()
    it.reload()
    kept = it.locator(".decided li")
    kept.first.wait_for()
    assert "Ada <b>" in kept.inner_text() and "</script>" in kept.inner_text() and "UTC" in kept.inner_text()
    with it.expect_download() as download:
        it.get_by_role("button", name="Report").click()
    file = tmp_path / "audit.html"
    download.value.save_as(file)
    read_report(visit, file)


def read_report(visit: Any, file: Path) -> None:
    """The same view, from a file alone: every count opens the items behind it."""
    assert file.stat().st_size < 15_000_000
    for dark in (False, True):
        seen = visit(file, dark=dark)
        it = seen.page
        assert "Ada <b>" in it.locator(".decided").inner_text()
        count = it.get_by_role("table", name="Clusters, the most suspicious first").locator("tbody tr").first.locator(".count")
        assert count.inner_text() == str(audited.MARKED)
        count.click()
        it.get_by_role("heading", name=f"{audited.MARKED} in cluster {CLUSTER}").wait_for()
        it.locator(".of-items img").nth(audited.MARKED - 1).wait_for()
        it.get_by_role("link", name=f"Cluster {CLUSTER}", exact=True).click()
        it.get_by_text("Confirmed by intervention: it is an artefact.").wait_for()
        assert lasso(it) == audited.EACH
        if AXE.is_file():
            assert seen.axe() == []
        assert seen.complaints() == []


def test_an_auditor_needs_no_pointer(page: Seen):
    it = page.page
    press_to(it, it.get_by_role("link", name="Audit"))
    it.keyboard.press("Enter")
    press_to(it, it.get_by_role("link", name=f"Cluster {CLUSTER}", exact=True))
    it.keyboard.press("Enter")
    it.get_by_role("heading", name="explained as cross").wait_for()
    assert it.evaluate("document.activeElement.tagName") == "H1"
    press_to(it, it.locator(".field-of-points"))
    for key in ("+", "ArrowLeft", "ArrowUp", "-", "0"):
        it.keyboard.press(key)
    press_to(it, it.locator("summary", has_text="The same as a list"))
    it.keyboard.press("Enter")
    options = it.get_by_role("option")
    options.first.wait_for()
    press_to(it, it.get_by_role("listbox", name="Inputs"))
    for key in (" ", "ArrowDown", "ArrowDown", " "):
        it.keyboard.press(key)
    it.get_by_role("heading", name="2 chosen from the list").wait_for()
    chosen = [options.nth(n).locator("span[dir]").inner_text() for n in (0, 2)]
    shown = it.get_by_role("list", name="chosen from the list").get_by_role("button")
    shown.nth(1).wait_for()
    assert [one.get_attribute("title") for one in shown.all()] == chosen
    press_to(it, it.get_by_role("button", name="Test it"))
    it.keyboard.press("Enter")
    it.get_by_text("Confirmed by intervention").first.wait_for()
    press_to(it, it.get_by_role("radio", name="Artefact"))
    it.keyboard.press("Space")
    it.keyboard.press("Tab")
    it.keyboard.type("Grace")
    it.keyboard.press("Tab")
    it.keyboard.type("Seen by keyboard")
    it.keyboard.press("Tab")
    it.keyboard.press("Enter")
    it.locator(".decided", has_text="Seen by keyboard").wait_for()


# -- the researcher -------------------------------------------------------------------------------------------------------------


def test_a_researcher_sorts_scores_and_opens_the_worst_item(page: Seen):
    it = page.page
    it.get_by_role("link", name="Evaluation").click()
    table = it.get_by_role("table", name="Scores of every method")
    table.wait_for()
    head = table.get_by_role("columnheader", name="Score")
    head.get_by_role("button").click()
    assert head.get_attribute("aria-sort") == "descending"
    worst = it.get_by_role("list", name="with the worst srg by lrp").get_by_role("button")
    worst.first.wait_for()
    it.get_by_label("Across").select_option("sensitivity")
    it.get_by_role("list", name="with the worst srg by sensitivity").get_by_role("button").first.wait_for()
    assert lasso(it) == 8
    it.get_by_role("list", name=LASSO).get_by_role("button").first.click()
    facts = it.locator(".one-item")
    assert all(method in facts.inner_text() for method in ("lrp", "gradient_x_input", "sensitivity"))
    it.get_by_role("button", name="Draw removal curves").click()
    it.locator(".removal svg").first.wait_for()
    it.get_by_role("button", name="Explain this one").click()
    it.locator(".opened h1").wait_for()
    assert {"lrp", "sensitivity"} <= set(re.findall(r"[a-z_]+", it.locator(".opened").inner_text()))


def test_a_researcher_needs_no_pointer_and_gets_one_file(page: Seen, client: Client, visit: Any, tmp_path: Path):
    it = page.page
    press_to(it, it.get_by_role("link", name="Evaluation"))
    it.keyboard.press("Enter")
    head = it.get_by_role("columnheader", name="Method")
    press_to(it, head.get_by_role("button"))
    it.keyboard.press("Enter")
    assert head.get_attribute("aria-sort") == "ascending"
    press_to(it, it.locator("summary", has_text="The same as a list"))
    it.keyboard.press("Enter")
    it.locator(".item-list [role=option]").first.wait_for()
    press_to(it, it.get_by_role("listbox", name="Inputs"))
    it.keyboard.press(" ")
    it.get_by_role("heading", name="1 chosen from the list").wait_for()
    file = tmp_path / "evaluation.html"
    file.write_bytes(client("GET", f"/v1/runs/{run_of(client, 'evaluation')}/report.html").body)
    seen = visit(file)
    seen.page.get_by_role("list", name="with the worst srg by lrp").get_by_role("button").nth(7).wait_for()
    assert seen.complaints() == []


def test_axe_finds_nothing_in_the_views_of_stores(page: Seen, dark_page: Seen):
    if not AXE.is_file():
        missing("axe-core is not installed", "npm ci --prefix viewer")
    for seen in (page, dark_page):
        it = seen.page
        script = AXE.read_text(encoding="utf-8")
        for route in ("#/audit", f"#/audit/{TARGET}", f"#/audit/{TARGET}/{CLUSTER}", "#/evaluation"):
            it.evaluate(f"location.hash = '{route}'")
            it.locator(".item-grid button").first.wait_for()
            it.locator(".field-of-points canvas").wait_for()
            if not it.evaluate("typeof axe !== 'undefined'"):
                it.evaluate(script)
            found = it.evaluate("axe.run(document, {resultTypes: ['violations']}).then(result => result.violations)")
            assert [f"{route} {one['id']}: {one['nodes'][0]['html'][:150]}" for one in found] == []


# -- what is refused ------------------------------------------------------------------------------------------------------------


def test_what_nobody_opened_is_not_there(client: Client, served: Settings, stores: tuple[Path, Path]):
    audit, evaluation = run_of(client, "audit"), run_of(client, "evaluation")
    forged = ("a" * 26, audit[::-1], "..%2f..", "x", str(stores[0]).replace("/", "%2f"))
    for run in forged:
        for what in ("classes", "clusters", "documents/summary", "items?numbers=0", "report.html"):
            assert client("GET", f"/v1/runs/{run}/{what}").status in (404, 422), (run, what)
        assert client("POST", f"/v1/runs/{run}/tests", b'{"cluster": 0}', JSON).status in (404, 422)
    assert client("GET", f"/v1/runs/{evaluation}/classes").status == 404
    assert client("GET", f"/v1/runs/{audit}/documents/..%2frun.json").status in (404, 422)
    assert client("GET", f"/v1/runs/{audit}/items?numbers=999999").json == []
    for numbers in ("", "-1", "1,,2", "0;1", "1" * 9, ",".join("1" * 70)):
        assert client("GET", f"/v1/runs/{audit}/items?numbers={numbers}").status == 422, numbers
    assert client("GET", f"/v1/runs/{audit}/points?target=0&space=when&plane=clusters").status == 422
    assert client("POST", f"/v1/runs/{audit}/tests", b'{"cluster": 999}', JSON).status == 404
    assert client("GET", "/v1/runs", headers={"Authorization": ""}).status == 401
    assert client("GET", "/v1/runs", headers={"Host": "elsewhere.example"}).status == 421
    assert client("POST", f"/v1/runs/{audit}/decisions", b"{}", JSON | {"Origin": "http://elsewhere.example"}).status == 403


def test_decisions_are_checked_and_only_added_to(client: Client, stores: tuple[Path, Path]):
    run, file = run_of(client, "audit"), stores[0] / "decisions.jsonl"
    before = file.read_bytes() if file.exists() else b""

    def decide(**changes: Any) -> int:
        body = {"cluster": 1, "decision": "unclear", "name": "Ada", "note": ""} | changes
        return client("POST", f"/v1/runs/{run}/decisions", json.dumps(body).encode(), JSON).status

    nonsense: list[dict[str, Any]] = [
        {"cluster": 999}, {"cluster": -1}, {"cluster": "0"}, {"decision": "artefact"}, {"decision": "guilty"}, {"name": ""},
        {"name": "   "}, {"name": "x" * 81}, {"name": "A\nda"}, {"name": "A\u0000"}, {"name": "A\u202e"}, {"name": "\ud800"},
        {"note": "x" * 2001}, {"note": "\u001b[31m"}, {"more": 1}, {"name": None},
    ]  # fmt: skip
    assert [decide(**one) for one in nonsense] == [422] * len(nonsense)
    assert (file.read_bytes() if file.exists() else b"") == before
    assert decide(note="first line\nsecond <script>") == 201
    with file.open("ab") as torn:
        torn.write(b'{"cluster": 1, "deci')  # as a power failure would leave it
    assert decide(name="Grace") == 201
    assert file.read_bytes().startswith(before)
    kept = client("GET", f"/v1/runs/{run}/documents/summary").json["decisions"]
    assert [one["name"] for one in kept[-2:]] == ["Ada", "Grace"] and all(one["time"].endswith("+00:00") for one in kept)


def test_nothing_outside_the_folder_of_the_pictures_is_read(tmp_path: Path, stores: tuple[Path, Path], browser: Any):
    from pellucid.job.audit.pictures import file_of, picture
    from pellucid.job.items import Items

    root, secret = tmp_path / "root", tmp_path / "secret.png"
    root.mkdir()
    content = (stores[0].parents[1] / "scans" / "cross" / "001.png").read_bytes()
    secret.write_bytes(content)
    (root / "own.png").write_bytes(content)
    (root / "link.png").symlink_to(secret)
    (root / "notes.txt").write_text("not a picture")
    keys = ("own.png", "../secret.png", "link.png", str(secret), "notes.txt", "gone.png")
    items = Items("pictures", keys, (None,) * len(keys), root)
    assert [file_of(items, n) is not None for n in range(len(keys))] == [True] + [False] * 5
    assert picture(items, 0, None) is not None and picture(items, 1, None) is None


def test_pictures_are_made_anew_and_small(client: Client):
    run = run_of(client, "audit")
    one, *_ = client("GET", f"/v1/runs/{run}/items?numbers=40,41").json
    assert one["src"].startswith("data:image/webp;base64,") and len(one["src"]) < 10_000
    assert one["meta"] == {"scanner": "B"} and one["explained"] == "cross" and 0 <= one["probability"] <= 1


def test_a_store_made_in_python_can_be_looked_at(stores: tuple[Path, Path], tmp_path: Path):
    opened = Opened(str(stores[0]))
    from pellucid.serve.reading import Shelved

    shelved = Shelved(opened)
    assert shelved.listed()["computes"] is False
    one = shelved.items([0])[0]
    assert one["src"].startswith("data:image/webp") and one["meta"] == {}  # the small grey picture that the store keeps


def test_the_report_of_an_evaluation_by_the_command_line(stores: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(stores[0].parents[1])
    audited.run(["report", "runs/e", "-o", "e.json"])
    made = json.loads(Path("e.json").read_text())
    assert made["kind"] == "evaluation" and {one["metric"] for one in made["curves"]} == {"srg"}
    assert made["judged"]["count"] == 8 and len(made["judged"]["shown"]) == 8
    assert all(one["x"][0] == 0 and len(one["x"]) == len(one["y"]) for one in made["curves"])
