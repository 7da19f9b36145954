"""The report and the dumps it is made from: one file, nothing in it runs, sorts or hovers by accident."""

import base64
import hashlib
import json
import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import scipy.io
from scipy import sparse

from reidkit.diagnose import Diagnosis, diagnose
from reidkit.diagnose.dumps import merge_dumps, read_dump
from reidkit.diagnose.files import diagnose_files, read_graph
from reidkit.diagnose.report import MOST_ROWS
from reidkit.errors import DiagnosisError

HOSTILE = [
    "</script><script>alert(1)</script>",
    '" onmouseover="alert(1)',
    "<img src=x onerror=alert(1)>",
    "=cmd|'/C calc'!A0",
    "bell\x07 \u202egnp.exe",
    "{{ 7*7 }} ${x} `y`",
    "&lt;b&gt; & ' <!--",
    "\ud800 lone",
]


class Page(HTMLParser):
    """Tags with attributes, the text of table cells, and the content of script and style elements."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.cells: list[str] = []
        self.raw: dict[str, list[str]] = {"script": [], "style": []}
        self.inside: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list) -> None:
        self.tags.append((tag, dict(attrs)))
        self.inside.append(tag)
        if tag == "td":
            self.cells.append("")

    def handle_endtag(self, tag: str) -> None:
        while self.inside and self.inside.pop() != tag:
            pass

    def handle_data(self, data: str) -> None:
        if self.inside and self.inside[-1] == "td":
            self.cells[-1] += data
        if self.inside and self.inside[-1] in self.raw:
            self.raw[self.inside[-1]].append(data)


def hostile(repeat: int = 6) -> Diagnosis:
    names = HOSTILE * repeat
    generator = np.random.default_rng(0)
    label = np.arange(len(names)) % 5 - 1
    paths = [f"{i} {name}" for i, name in enumerate(names)]
    return diagnose(label, names, identities=names[::-1], paths=paths, features=generator.normal(size=(len(names), 6)))


def test_hostile_names_are_text_and_only_our_two_scripts_stand_in_the_page(tmp_path: Path) -> None:
    text = hostile().report(tmp_path / "a folder" / "réport.html", title=HOSTILE[0]).read_text(encoding="utf-8")
    page = Page(text)
    scripts = [attrs for tag, attrs in page.tags if tag == "script"]
    assert scripts == [{"type": "application/json", "id": "map-data"}, {}]
    allowed = {
        "charset",
        "http-equiv",
        "content",
        "name",
        "lang",
        "class",
        "href",
        "id",
        "tabindex",
        "role",
        "aria-label",
        "aria-live",
    }
    allowed |= {"scope", "title", "type", "width", "height"}
    assert {name for _, attrs in page.tags for name in attrs} <= allowed
    assert not {"img", "iframe", "object", "svg", "b", "link"} & {tag for tag, _ in page.tags}
    shown = set(page.cells)
    for name in (HOSTILE[0], HOSTILE[2], HOSTILE[5], "bell\\x07 \\u202egnp.exe", "\\ud800 lone"):
        assert name in shown, name
    assert not any(ord(c) < 32 and c not in "\n\t" for c in text) and "\u202e" not in text


def test_the_page_allows_itself_only_its_own_script_and_style_and_no_network(tmp_path: Path) -> None:
    page = Page(hostile().report(tmp_path / "r.html").read_text(encoding="utf-8"))
    policy = next(attrs["content"] for tag, attrs in page.tags if attrs.get("http-equiv") == "Content-Security-Policy")
    for kind, content in (("script", page.raw["script"][-1]), ("style", page.raw["style"][0])):
        digest = base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
        assert f"{kind}-src 'sha256-{digest}'" in policy
    assert policy.startswith("default-src 'none'")
    assert not re.search(r"https?://", " ".join(page.raw["script"] + page.raw["style"]))


def test_tables_and_map_hold_the_diagnosis(tmp_path: Path) -> None:
    found = hostile()
    page = Page(found.report(tmp_path / "r.html").read_text(encoding="utf-8"))
    data = json.loads(page.raw["script"][0])
    rows = len(found.images)
    assert len(np.frombuffer(base64.b64decode(data["xy"]), "<u2")) == 2 * rows
    assert data["codes"]["cluster"] == found.labelling.label.tolist() and data["colours"] == ["cluster", "camera", "identity"]
    assert [data["prefix"] + path for path in data["paths"]][2] == "2 " + HOSTILE[2]
    assert data["names"]["camera"][data["codes"]["camera"][0]] == HOSTILE[0]
    buttons = sum(tag == "button" for tag, _ in page.tags)
    tables = [getattr(found, name) for name in ("alarms", "scores", "clusters", "identities", "camera_pairs", "images")]
    assert buttons == sum(table.shape[1] for table in tables)
    assert len(page.cells) == sum(table.size for table in tables)


def test_alarms_that_ring_are_marked_and_undefined_values_shown_as_such(tmp_path: Path) -> None:
    text = diagnose([-1, -1, -1], [0, 0, 1]).report(tmp_path / "r.html").read_text(encoding="utf-8")
    assert '<tr class="rings"><td>no cluster</td><td>yes</td>' in text
    assert "undefined: there is no cluster" in text and "<td>–</td>" in text and ">nan<" not in text


def test_a_market_sized_report_stays_below_five_megabytes_and_says_what_it_left_out(tmp_path: Path) -> None:
    n, generator = 33_000, np.random.default_rng(0)
    identity = generator.integers(0, 1500, n)
    label = np.where(generator.random(n) < 0.2, -1, identity)
    paths = [f"datasets/some/long/folder/bounding_box_train/{i:04d}_c1s1_{k:06d}_{'x' * 80}.jpg" for k, i in enumerate(identity)]
    found = diagnose(
        label, identity % 6, identities=identity, features=generator.normal(size=(n, 8)), paths=paths, permutations=1
    )
    path = found.report(tmp_path / "r.html")
    assert path.stat().st_size < 5_000_000
    text = path.read_text(encoding="utf-8")
    assert f"The first {MOST_ROWS} of 33000 rows; the CSV files hold all of them." in text


def test_the_same_input_gives_the_same_bytes(tmp_path: Path) -> None:
    assert hostile().report(tmp_path / "a.html").read_bytes() == hostile().report(tmp_path / "b.html").read_bytes()
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.html", "b.html"]


LABELS, CAMERAS, IDENTITIES = np.array([0, 0, 1, 1, -1]), np.array([1, 2, 1, 2, 1]), np.array([7, 7, 8, 8, 8])
FEATURES = np.random.default_rng(0).normal(size=(5, 3)).astype(np.float32)


def written(folder: Path, kind: str) -> Path:
    path = folder / f"dump{kind}"
    table = pd.DataFrame({"Pseudo_Label": LABELS, "camid": CAMERAS, "pid": IDENTITIES, "path": list("abcde")})
    arrays = {"labels": LABELS, "cam": CAMERAS, "pids": IDENTITIES, "feat": FEATURES}
    if kind == ".csv":
        table.to_csv(path, index=False)
    elif kind == ".tsv":
        table.to_csv(path, index=False, sep="\t")
    elif kind == ".parquet":
        table.to_parquet(path)
    elif kind == ".npz":
        np.savez(path, **arrays)
    elif kind == ".mat":
        scipy.io.savemat(path, arrays)
    else:
        import torch

        torch.save({name: torch.as_tensor(value) for name, value in arrays.items()}, path)
    return path


@pytest.mark.parametrize("kind", [".csv", ".tsv", ".parquet", ".npz", ".mat", ".pth"])
def test_every_kind_of_dump_gives_the_same_diagnosis(tmp_path: Path, kind: str) -> None:
    found = diagnose_files(written(tmp_path, kind))
    wanted = diagnose(LABELS, CAMERAS, identities=IDENTITIES)
    shared = wanted.scores.merge(found.scores, on=["score", "outliers", "pairs"], suffixes=("", "_found"))
    assert len(shared) == len(wanted.scores)
    np.testing.assert_allclose(shared["value"], shared["value_found"])
    assert ("centre_distance" in found.images) == (kind in (".npz", ".mat", ".pth"))


def test_labels_and_layumis_features_come_together(tmp_path: Path) -> None:
    dump = {"gallery_f": FEATURES, "gallery_label": IDENTITIES[None], "gallery_cam": CAMERAS[None], "query_f": FEATURES[:2]}
    scipy.io.savemat(tmp_path / "pytorch_result.mat", dump)
    np.save(tmp_path / "labels.npy", LABELS)
    found = diagnose_files(tmp_path / "labels.npy", features=tmp_path / "pytorch_result.mat")
    assert found.identities["identity"].tolist() == [7, 8] and found.space.features.shape == (5, 3)


def test_a_graph_is_read_as_scipy_stores_it(tmp_path: Path) -> None:
    graph = sparse.csr_array(([0.2, 0.2], ([0, 1], [1, 0])), shape=(5, 5))
    sparse.save_npz(tmp_path / "graph.npz", graph)
    np.testing.assert_array_equal(read_graph(tmp_path / "graph.npz").toarray(), graph.toarray())
    found = diagnose_files(written(tmp_path, ".csv"), graph=tmp_path / "graph.npz")
    assert "silhouette" in found.images
    for wrong in (graph.tocoo(), graph.tocsc()):
        sparse.save_npz(tmp_path / "wrong.npz", wrong)
        with pytest.raises(DiagnosisError, match="is no graph"):
            read_graph(tmp_path / "wrong.npz")


def test_a_missing_column_is_refused_with_what_was_found_and_what_is_needed(tmp_path: Path) -> None:
    pd.DataFrame({"y_hat": LABELS, "camid": CAMERAS}).to_csv(tmp_path / "t.csv", index=False)
    with pytest.raises(DiagnosisError) as caught:
        diagnose_files(tmp_path / "t.csv")
    assert all(word in str(caught.value) for word in ("has no labels", "camid (as cameras)", "pseudo_label"))
    found = diagnose_files(tmp_path / "t.csv", columns={"labels": "y_hat"})
    assert found.score("clusters") == 2
    with pytest.raises(DiagnosisError, match=r"(?s)has no 'yhat'.*Did you mean 'y_hat'"):
        diagnose_files(tmp_path / "t.csv", columns={"labels": "yhat"})
    with pytest.raises(DiagnosisError, match="Nothing is called 'label'"):
        diagnose_files(tmp_path / "t.csv", columns={"label": "y_hat"})
    pd.DataFrame({"a": [1]}).to_csv(tmp_path / "u.csv", index=False)
    with pytest.raises(DiagnosisError, match="nothing that is known; found 'a'"):
        read_dump(tmp_path / "u.csv")


def test_files_that_do_not_fit_or_are_no_dumps_are_refused(tmp_path: Path) -> None:
    np.save(tmp_path / "short.npy", FEATURES[:3])
    with pytest.raises(DiagnosisError, match="5 labels, 5 cameras, 5 identities, 5 paths, 3 features"):
        diagnose_files(written(tmp_path, ".csv"), features=tmp_path / "short.npy")
    with pytest.raises(DiagnosisError, match="has no features"):
        diagnose_files(written(tmp_path, ".csv"), features=written(tmp_path, ".tsv"))
    for name, words in (("x.txt", "of kind"), ("gone.csv", "not there")):
        with pytest.raises(DiagnosisError, match=words):
            read_dump(tmp_path / name)
    for name in ("bad.npz", "bad.npy", "bad.mat", "bad.pth", "bad.parquet", "empty.csv"):
        (tmp_path / name).write_bytes(b"" if name.startswith("empty") else b"not what it says")
        with pytest.raises(DiagnosisError, match="cannot be read"):
            read_dump(tmp_path / name)


class Payload:
    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> tuple:
        return (Path.touch, (self.marker,))


@pytest.mark.parametrize("kind", [".npy", ".npz", ".pth"])
def test_nothing_in_a_dump_runs(tmp_path: Path, kind: str) -> None:
    marker, path = tmp_path / "ran", tmp_path / f"evil{kind}"
    if kind == ".pth":
        import torch

        torch.save({"labels": Payload(marker)}, path)
    elif kind == ".npy":
        np.save(path, np.array([Payload(marker)], dtype=object), allow_pickle=True)
    else:
        np.savez(path, labels=np.array([Payload(marker)], dtype=object))
    with pytest.raises(DiagnosisError, match="cannot be read") as caught:
        read_dump(path)
    assert "weights_only" not in str(caught.value)  # torch advises to switch the protection off
    assert not marker.exists()


def test_the_first_file_that_has_a_column_wins(tmp_path: Path) -> None:
    first, second = read_dump(written(tmp_path, ".csv")), read_dump(written(tmp_path, ".npz"))
    both = merge_dumps(first, second)
    assert both.paths is not None and both.features is not None and both.labels is first.labels
