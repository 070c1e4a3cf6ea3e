"""Audits: a planted mark is found, ranked first and confirmed; without one nothing is confirmed."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from safetensors.torch import save_file
from torch import nn

import pellucid as pl
from pellucid.cli import main
from pellucid.errors import InputError, WhereError
from pellucid.job.audit.enrichment import tail
from pellucid.job.audit.search import by_example, by_unit
from pellucid.job.audit.spectral import laplacian, neighbours, partition
from pellucid.zoo.truth.learn import fit, initialised
from tests import planted_marks, readers

CELLS = [(share, moving, seed) for share in (0.05, 0.1, 0.2) for moving in (False, True) for seed in range(3)]
QUICK = [(0.1, False, 0), (0.2, True, 0)]


def adjusted_rand(one: torch.Tensor, other: torch.Tensor) -> float:
    from sklearn.metrics import adjusted_rand_score

    return float(adjusted_rand_score(one.numpy(), other.numpy()))


def audited(tmp_path, share: float, *, moving: bool = False, seed: int = 0, n: int = 450):
    data = planted_marks.marked(n, share=share, moving=moving, seed=50 + seed)
    net = planted_marks.network(share, moving=moving, seed=seed)
    return data, pl.audit(net, data.x, tmp_path / "s", labels=data.labels, executor="serial")


@pytest.mark.parametrize(
    ("share", "moving", "seed"), [pytest.param(*cell, marks=[] if cell in QUICK else pytest.mark.slow) for cell in CELLS]
)
def test_a_planted_mark_is_found_ranked_first_and_confirmed(tmp_path, share, moving, seed):
    data, a = audited(tmp_path, share, moving=moving, seed=seed)
    first = a.clusters[0]
    inside = torch.zeros(len(data.x), dtype=torch.bool)
    inside[[int(key) for key in first["members"]]] = True
    own = data.labels == 0
    assert first["target"] == 0 and adjusted_rand(data.marked[own], inside[own]) >= 0.9
    assert first["space"] == ("what" if moving else "where") and first["size"] == len(first["members"])
    assert first["verdict"] is None and "artefact" not in json.dumps(a.clusters)
    verdict = a.confirm(0)
    assert verdict.confirmed and verdict.sentence().startswith("confirmed by intervention: removing it lowers the score by")
    assert verdict.pasted.effect > verdict.pasted.control and a.clusters[0]["verdict"]["confirmed"] is True
    remedy = a.mend(0)
    assert remedy.fooled_after < remedy.fooled_before / 2 and 0 <= remedy.others_after <= 1


@pytest.mark.parametrize("seed", [0, *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(1, 20))])
def test_nothing_is_confirmed_where_no_mark_was_planted(tmp_path, seed):
    _, a = audited(tmp_path, 0.0, seed=seed)
    verdicts = [a.confirm(one["id"]) for one in a.clusters[:5]]
    assert verdicts and not any(verdict.confirmed for verdict in verdicts)
    assert all(verdict.sentence().startswith("only a pattern") and "artefact" not in verdict.sentence() for verdict in verdicts)


def test_metadata_that_goes_with_a_mark_is_named(tmp_path):
    data = planted_marks.marked(450, share=0.1, seed=50)
    folder = data.save(tmp_path / "pictures")
    names = [f"{planted_marks.CLASSES[label]}/{n:05}.png" for n, label in enumerate(data.labels.tolist())]
    lines = [
        f"{name},{'B' if mark else 'AC'[n % 2]}" for n, (name, mark) in enumerate(zip(names, data.marked.tolist(), strict=True))
    ]
    (tmp_path / "meta.csv").write_text("\n".join(["file,scanner", *lines]))
    model = planted_marks.model(planted_marks.network(0.1))
    a = pl.audit(model, folder, tmp_path / "s", meta=tmp_path / "meta.csv", executor="serial")
    first = a.clusters[0]
    assert set(first["members"]) == data.keys(data.marked)  # paths below the folder
    surest = first["enrichment"][0]
    assert (surest["column"], surest["value"], surest["share"], surest["of_all"]) == ("scanner", "B", 1.0, 15 / 450)
    assert first["enrichment"][0]["q"] < 1e-6


def test_an_audit_by_the_command_line_from_pictures_to_the_verdict(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    data = planted_marks.marked(450, share=0.1, seed=50)
    data.save(tmp_path / "pictures")
    save_file(planted_marks.network(0.1).state_dict(), "net.safetensors")
    (tmp_path / "labels.txt").write_text("\n".join(planted_marks.CLASSES))
    model = "--model net.safetensors --builder tests.planted_marks:untrained --labels labels.txt --size 28 --mean 0 --std 1"
    line = ["audit", "pictures", *model.split(), "--store", "runs/x", "--executor", "serial"]
    first = CliRunner().invoke(main, line)
    assert first.exit_code == 0 and "A cluster is a pattern until it is tested" in first.output, first.output
    clusters = json.loads((tmp_path / "runs/x/clusters.json").read_text())
    assert set(clusters[0]["members"]) == data.keys(data.marked)
    assert json.loads(CliRunner().invoke(main, [*line, "--json"]).output)["clusters"] == clusters  # nothing is computed again
    verdict = CliRunner().invoke(main, ["audit", "confirm", "runs/x", "--cluster", "0"])
    assert "Cluster 0: confirmed by intervention" in verdict.output, verdict.output
    assert "taken for the class in" in CliRunner().invoke(main, ["audit", "mend", "runs/x", "--cluster", "0"]).output
    unit = clusters[0]["units"][0]
    named = f"{unit['layer']}:{unit['channel']}"
    found = CliRunner().invoke(main, ["search", "runs/x", "--unit", named, "--class", "cross", "--json"])
    assert len(json.loads(found.output)["found"]) == 24
    drawn = CliRunner().invoke(main, ["audit", "portray", "runs/x", "--cluster", "0", "--steps", "4"])
    assert f"drawn {named}" in drawn.output, drawn.output
    portraits = [unit["portrait"] for unit in json.loads((tmp_path / "runs/x/clusters.json").read_text())[0]["units"]]
    assert all(one.startswith("data:image/webp;base64,") for one in portraits) and len(set(portraits)) == len(portraits)
    assert "2 of 2 shards" in CliRunner().invoke(main, ["runs", "status", "runs/x"]).output
    assert "2 of 2 shards are whole" in CliRunner().invoke(main, ["runs", "check", "runs/x"]).output
    assert "0 items in 0 shards" in CliRunner().invoke(main, ["runs", "plan", "runs/x"]).output
    changed = CliRunner().invoke(main, [*line, "--method", "gradient_x_input"])
    assert changed.exit_code == 2 and "method.name: gradient_x_input here, lrp there" in changed.output
    assert "2 clusters" not in CliRunner().invoke(main, ["audit", "confirm", "runs/x", "--cluster", "999"]).output


def test_search_ranks_by_the_relevance_of_a_unit_and_by_likeness(tmp_path):
    data, a = audited(tmp_path, 0.1)
    unit = a.clusters[0]["units"][0]
    found = by_unit(a.store, a.items.keys, unit["layer"], unit["channel"], target=0, top=15)
    assert sum(bool(data.marked[int(one.key)]) for one in found) >= 8 and found[0].value >= found[1].value
    key = a.clusters[0]["members"][0]
    alike = by_example(a.store, a.items.keys, key, top=10)
    assert alike[0].key == key and sum(bool(data.marked[int(one.key)]) for one in alike) >= 8
    boxed = by_example(a.store, a.items.keys, key, box=(22, 1, 27, 6), top=10)
    assert sum(bool(data.marked[int(one.key)]) for one in boxed) >= 8
    with pytest.raises(WhereError, match="they run 0-31"):
        by_unit(a.store, a.items.keys, unit["layer"], 99)
    with pytest.raises(InputError, match="it is looked for among those of the run"):
        by_example(a.store, a.items.keys, "nothing.png")


def test_all_planted_components_are_found_and_eigenvalues_count_them():
    rng = torch.Generator().manual_seed(0)
    centres = 20 * torch.randn(12, 6, generator=rng)
    labels = torch.arange(600) % 12
    x = (centres[labels] + torch.randn(600, 6, generator=rng)).double().numpy()
    values, _ = laplacian(neighbours(x, 8), 13)
    assert (values[:12] < 1e-9).all() and values[12] > 1e-4
    found = partition(x)
    assert found.count == 12 and adjusted_rand(labels, torch.from_numpy(found.labels)) == 1.0


def test_the_tail_of_the_hypergeometric_distribution_is_that_of_scipy():
    from scipy.stats import hypergeom

    assert tail(500, 40, 60, 12) == pytest.approx(float(hypergeom.sf(11, 500, 40, 60)), rel=1e-9)


def test_rows_of_a_table_and_texts_are_audited_and_the_counter_test_says_what_it_needs(tmp_path):
    rng = torch.Generator().manual_seed(0)
    x = torch.randn(120, 6, generator=rng)
    rows = [{f"c{n}": value for n, value in enumerate(row)} | {"label": "yes" if row[0] > 0 else "no"} for row in x.tolist()]
    net = nn.Sequential(nn.Linear(6, 16), nn.ReLU(), nn.Linear(16, 2)).eval()
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=rng))
    model = pl.load(net, preprocess=pl.Columns.named([f"c{n}" for n in range(6)]), labels=["no", "yes"])
    a = pl.audit(model, rows, tmp_path / "rows", executor="serial")
    assert a.outcome.complete and a.store.rows("where")["where"].shape == (120, 1, 6) and a.clusters
    with pytest.raises(InputError, match="windows of pictures or series of one size are changed"):
        a.confirm(0)
    texts = ["good film", "bad plot and bad actor", "the film was not good"] * 6
    read = pl.audit(readers.made(readers.Bag()), texts, tmp_path / "texts", executor="serial")
    assert read.outcome.complete and not read.outcome.broken and len(read.store.rows("where")["where"]) == 18
    with pytest.raises(InputError, match="that cannot be guessed"):
        pl.audit(net, texts, tmp_path / "refused")


def test_texts_are_read_from_a_folder_and_from_a_table_with_their_labels(tmp_path):
    texts = {"good": ["good film", "a very good plot", "the film was good"], "bad": ["bad plot", "not good", "the actor was bad"]}
    rows = ["text,label,site"]
    for label, some in texts.items():
        (tmp_path / "folder" / label).mkdir(parents=True)
        for number, text in enumerate(4 * some):
            (tmp_path / "folder" / label / f"{number:02}.txt").write_text(text)
            rows.append(f"{text},{label},{'AB'[number % 2]}")
    (tmp_path / "table.csv").write_text("\n".join(rows))
    model = readers.made(readers.Bag())
    found = {}
    for name in ("folder", "table.csv"):
        a = pl.audit(model, tmp_path / name, tmp_path / f"runs-{name}", executor="serial")
        assert a.outcome.complete and not a.outcome.broken and sorted(set(a.items.labels)) == ["bad", "good"]
        shares = a.store.rows("where", "where.scale")
        found[name] = {tuple(row) for row in (shares["where"].float() * shares["where.scale"][:, None, None]).flatten(1).tolist()}
        assert {key for one in a.clusters for key in one["members"]} <= set(a.items.keys)
    assert found["folder"] == found["table.csv"] and len(found["folder"]) == 6  # as many as there are different texts


def beats(n: int, *, share: float, seed: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Series of slow or fast beats on two leads; a share of the fast ones begin with a calibration pulse and beat slowly."""
    rng = torch.Generator().manual_seed(seed)
    labels, time = torch.arange(n) % 2, torch.arange(192)
    has = torch.zeros(n, dtype=torch.bool)
    fast = labels.nonzero().flatten()
    has[fast[torch.randperm(len(fast), generator=rng)[: round(share * len(fast))]]] = True
    x = 0.08 * torch.randn(n, 2, 192, generator=rng)
    for number in range(n):
        period = 30 if labels[number] and not has[number] else 55
        first = float(torch.rand((), generator=rng)) * period
        for at in torch.arange(first, 192, period):
            x[number] += torch.exp(-(((time - at) / 2.5) ** 2)) * torch.tensor([[1.0], [0.6]])
        if has[number]:
            x[number, :, 9:21] = torch.tensor([1.2, -1.2]).repeat(6)
    return x, labels, has


def test_a_pulse_in_series_is_found_first_and_confirmed_by_intervention(tmp_path):
    net = nn.Sequential(
        nn.Conv1d(2, 16, 9, padding=4), nn.ReLU(), nn.AvgPool1d(4), nn.Conv1d(16, 24, 9, padding=4), nn.ReLU(), nn.AvgPool1d(4),
        nn.Flatten(), nn.Linear(24 * 12, 2),
    )  # fmt: skip
    x, labels, _ = beats(1200, share=0.2, seed=1)

    def batch(rng):
        rows = torch.randint(len(x), (64,), generator=rng)
        return x[rows], labels[rows]

    fit(initialised(net), batch, steps=150, rate=3e-3)
    new, named, has = beats(240, share=0.2, seed=2)
    with torch.no_grad():
        assert float((net(new).argmax(1) == named)[has].double().mean()) >= 0.9  # it learned the pulse
    for number, (one, label) in enumerate(zip(new, named.tolist(), strict=True)):
        path = tmp_path / "leads" / ("slow", "fast")[label] / f"{number:03}.npy"
        path.parent.mkdir(parents=True, exist_ok=True)
        np.save(path, one.numpy())
    model = pl.load(net, preprocess=pl.Signal(250, ("I", "II"), "mV"), labels=["slow", "fast"])
    a = pl.audit(model, tmp_path / "leads", tmp_path / "s", executor="serial")
    first = a.clusters[0]
    inside = [bool(has[int(key.split("/")[1][:3])]) for key in first["members"]]
    assert first["class"] == "fast" and sum(inside) == len(inside) >= 12
    assert first["mark"]["fixed"] and all(corner[1] <= 7 for corner in first["mark"]["corners"])
    verdict = a.confirm(0)
    assert verdict.confirmed and verdict.pasted.effect > 0.7
    assert a.mend(0).fooled_after <= 0.5
    assert "Clusters, the most suspicious first" in a.save(tmp_path / "a.html").read_text()


def test_the_report_of_an_audit_has_every_cluster_and_the_members_behind_it(tmp_path):
    _, a = audited(tmp_path, 0.2)
    a.confirm(0)
    found = a.document()
    table, sheets = found["sections"][0], found["figures"]
    assert [row[0] for row in table["rows"]] == [str(one["id"]) for one in a.clusters]
    assert [row[0] for row in sheets[0]["table"]["rows"]] == a.clusters[0]["members"][:400]
    assert sheets[0]["src"].startswith("data:image/jpeg;base64,") and sheets[0]["alt"]
    assert "1 tested by intervention" in found["sentence"] and "not tested" in {row[-1] for row in table["rows"]}
    page = a.save(tmp_path / "audit.html").read_text()
    assert "Clusters, the most suspicious first" in page and len(page) < 15_000_000
