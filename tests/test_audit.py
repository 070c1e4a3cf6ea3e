"""Audits: a planted mark is found, ranked first and confirmed; without one nothing is confirmed."""

from __future__ import annotations

import json

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
from tests import planted_marks, readers

CELLS = [(0.05, False), (0.1, False), (0.1, True), (0.2, False), (0.2, True)]


def adjusted_rand(one: torch.Tensor, other: torch.Tensor) -> float:
    from sklearn.metrics import adjusted_rand_score

    return float(adjusted_rand_score(one.numpy(), other.numpy()))


def audited(tmp_path, share: float, *, moving: bool = False, seed: int = 0, n: int = 450):
    data = planted_marks.marked(n, share=share, moving=moving, seed=50 + seed)
    net = planted_marks.network(share, moving=moving, seed=seed)
    return data, pl.audit(net, data.x, tmp_path / "s", labels=data.labels, executor="serial")


@pytest.mark.parametrize(
    ("share", "moving"), [(0.1, False), (0.2, True), *(pytest.param(*cell, marks=pytest.mark.slow) for cell in CELLS)]
)
def test_a_planted_mark_is_found_ranked_first_and_confirmed(tmp_path, share, moving):
    data, a = audited(tmp_path, share, moving=moving)
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
    with pytest.raises(InputError, match="windows of pictures of one size are changed"):
        a.confirm(0)
    texts = ["good film", "bad plot and bad actor", "the film was not good"] * 6
    read = pl.audit(readers.made(readers.Bag()), texts, tmp_path / "texts", executor="serial")
    assert read.outcome.complete and not read.outcome.broken and len(read.store.rows("where")["where"]) == 18
    with pytest.raises(InputError, match="that cannot be guessed"):
        pl.audit(net, texts, tmp_path / "refused")


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
