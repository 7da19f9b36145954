"""The report: one HTML file that needs no other file, no network and no server; every name in it is shown as text."""

from __future__ import annotations

import base64
import hashlib
import json
import os
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from reidkit.diagnose import camera_pairs, clusters, identities, images
from reidkit.diagnose.projection import project, sample_rows
from reidkit.diagnose.text import plain
from reidkit.storage import write_atomically

if TYPE_CHECKING:
    from reidkit.diagnose.diagnosis import Diagnosis

MOST_ROWS, PATH_BYTES = 1_000, 2_000_000
SECTIONS: tuple[tuple[str, str, str, dict[str, str]], ...] = (
    ("alarms", "Alarms", "What must be looked at before any score is believed.", {}),
    ("scores", "Scores", "Every score, with its convention for outliers and its kind of pairs.", {}),
    ("clusters", "Clusters", "One row a cluster, the least pure or most single-camera first.", clusters.COLUMNS),
    ("identities", "Identities", "One row a true identity, lost ones first.", identities.COLUMNS),
    ("camera_pairs", "Camera pairs", "One row for each two cameras.", camera_pairs.COLUMNS),
    ("images", "Images", "One row an image, wrong ones and outliers first.", images.COLUMNS),
)


def write_report(diagnosis: Diagnosis, path: str | os.PathLike[str], *, title: str = "Diagnosis of pseudo-labels") -> Path:
    """Write the report; tables are cut at 1,000 rows, the worst first (`to_csv` has all of them). The same input gives the
    same bytes."""
    from jinja2 import Environment, StrictUndefined

    style, script = _asset("report.css"), _asset("report.js")
    sections = [
        _section(key, name, note, meaning, _worst_first(key, getattr(diagnosis, key)))
        for key, name, note, meaning in SECTIONS
        if len(getattr(diagnosis, key))
    ]
    page = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True).from_string(_asset("report.html.j2"))
    html = page.render(
        title=plain(title),
        summary=plain(diagnosis.describe()),
        sections=sections,
        map=_map(diagnosis),
        style=style,
        script=script,
        style_hash=_hash(style),
        script_hash=_hash(script),
    )
    return write_atomically(Path(path), lambda partial: partial.write_text(html, encoding="utf-8", newline="\n"))


def _asset(name: str) -> str:
    return files("reidkit.diagnose").joinpath("pages", name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def _section(key: str, title: str, note: str, meanings: dict[str, str], table: pd.DataFrame) -> dict:
    kept = table.head(MOST_ROWS)
    if len(table) > len(kept):
        note += f" The first {len(kept)} of {len(table)} rows; the CSV files hold all of them."
    columns = [{"name": name, "meaning": meanings.get(name, "")} for name in table.columns]
    rows = [
        {"cells": [_cell(value) for value in row], "alarm": key == "alarms" and bool(row[table.columns.get_loc("rings")])}
        for row in kept.itertuples(index=False, name=None)
    ]
    explained = [(name, meanings[name]) for name in table.columns if name in meanings]
    return {"key": key, "title": title, "note": note, "columns": columns, "rows": rows, "meanings": explained}


def _cell(value: object) -> dict:
    if value is None or value is pd.NA or (isinstance(value, float) and np.isnan(value)):
        return {"text": "–", "number": False}
    if isinstance(value, bool | np.bool_):
        return {"text": "yes" if value else "no", "number": False}
    if isinstance(value, float | np.floating):
        return {"text": f"{value:.4g}" if abs(float(value)) < 1e4 else f"{value:.0f}", "number": True}
    return {"text": plain(value), "number": isinstance(value, int | np.integer)}


def _worst_first(key: str, table: pd.DataFrame) -> pd.DataFrame:
    order = {"clusters": ["purity", "camera_entropy"], "identities": ["largest_share"], "images": ["cluster_precision"]}.get(
        key, []
    )
    columns = [name for name in order if name in table]
    if key == "identities":
        return table.sort_values(["lost", *columns], ascending=[False, True], kind="stable")
    return table.sort_values(columns, na_position="first" if key == "images" else "last", kind="stable") if columns else table


def _map(diagnosis: Diagnosis) -> dict | None:
    labelling, features = diagnosis.labelling, diagnosis.space.features
    if features is None or len(labelling) < 3:
        return None
    rows = sample_rows(len(labelling))
    points, share = project(features[rows])
    low, high = points.min(axis=0), points.max(axis=0)
    xy = np.round((points - low) / np.maximum(high - low, 1e-12) * 65535).astype("<u2")
    codes, names = {"cluster": labelling.label}, {"cluster": labelling.cluster_names}
    codes["camera"], names["camera"] = labelling.camera, labelling.camera_names
    if labelling.identity is not None:
        codes["identity"], names["identity"] = labelling.identity, labelling.identity_names
    prefix, paths = _short([plain(labelling.paths[row]) for row in rows])
    data = {
        "xy": base64.b64encode(xy.tobytes()).decode(),
        "colours": list(codes),
        "codes": {name: code[rows].tolist() for name, code in codes.items()},
        "names": {name: [plain(value) for value in values] for name, values in names.items()},
        "none": {"cluster": "outlier", "camera": "", "identity": "unknown"},
        "prefix": prefix,
        "paths": paths,
    }
    note = f"Features on their first two principal components, which carry {share:.0%} of the variance: clusters that overlap "
    note += "here may be apart in the other dimensions."
    if len(rows) < len(labelling):
        note += f" {len(rows)} of {len(labelling)} images, drawn evenly."
    alt = f"Map of {len(rows)} images by their two principal components, coloured by cluster, camera or identity."
    return {"note": note, "alt": alt, "colours": list(codes), "data": _json(data)}


def _short(paths: list[str]) -> tuple[str, list[str]]:
    """What all paths begin with, and the rest of each, cut from the left when all of them together are too long."""
    common = os.path.commonprefix(paths)  # noqa: RUF071 (by character; cut at the last slash below)
    prefix = common[: common.rfind("/") + 1]
    rest = [path[len(prefix) :] for path in paths]
    most = max(PATH_BYTES // max(len(rest), 1) - 3, 16)
    total = sum(len(path.encode("utf-8")) for path in rest)
    return prefix, rest if total <= PATH_BYTES else ["…" + path[-most:] if len(path) > most else path for path in rest]


def _json(data: dict) -> str:
    """JSON that cannot end the script element it stands in."""
    text = json.dumps(data, ensure_ascii=True, separators=(",", ":"), sort_keys=True)
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
