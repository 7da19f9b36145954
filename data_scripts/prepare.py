"""What all data scripts do: show the card, unpack safely, verify, record the accepted terms, and write what was found.

Nothing is downloaded: the owner of a set offers it, you fetch it under the owner's terms, and a script takes it from there.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
import tomllib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from tqdm.auto import tqdm

from reidkit.errors import FormatError, ReidkitError, shown
from reidkit.formats import load
from reidkit.formats.archives import extract
from reidkit.formats.counts import compare_counts, require_counts
from reidkit.formats.duplicates import find_duplicates
from reidkit.images.decode import check_images
from reidkit.records import Records
from reidkit.storage import write_atomically, write_json

CARDS = Path(__file__).parent / "cards"
KEPT = ".reidkit"
FENCE = "+++"


@dataclass(frozen=True)
class Card:
    """A data-set card: TOML between two lines ``+++``, then text.

    Attributes:
        facts: name, layout, status, source, terms and the rest of the front matter.
        text: the card as people read it.
    """

    facts: dict[str, Any]
    text: str

    @property
    def withdrawn(self) -> bool:
        return self.facts["status"] == "withdrawn"


def read_card(name: str) -> Card:
    """The card ``cards/<name>.md``."""
    _, front, text = (CARDS / f"{name}.md").read_text(encoding="utf-8").split(FENCE + "\n", 2)
    return Card(tomllib.loads(front), text.strip() + "\n")


def prepare(
    name: str,
    arguments: list[str] | None = None,
    *,
    convert: Callable[[Path], None] | None = None,
    variants: Sequence[dict[str, str]] = ({},),
) -> int:
    """Run the data script of one set; returns the exit status (0 good, 1 something is wrong with the data, 2 refused).

    Args:
        name: of the card.
        arguments: of the command line.
        convert: makes a readable layout out of an extracted folder, before it is read.
        variants: options for the layout's reader; each is read and verified by itself.
    """
    card = read_card(name)
    given = _parser(card).parse_args(arguments)
    if given.root is None and not given.archive:
        print(about(card))
        return 0
    try:
        _require_terms(card, given.accept_terms)
        if given.archive and card.withdrawn:
            raise FormatError(
                f"{card.facts['name']} was withdrawn by its owners.",
                rule="A withdrawn set is neither fetched nor unpacked here.",
                action="If you hold a copy lawfully, extract it yourself and pass --root; the card says why.",
            )
        root = extract(given.archive, given.out) if given.archive else given.root
        record_terms(card, root)
        if convert is not None:
            convert(root)
        found = [load(root, card.facts["layout"], **options) for options in variants]
        return max(verify(card, records, partial=given.partial, decode=not given.quick) for records in found)
    except ReidkitError as error:
        print(error, file=sys.stderr)
        return 2


def about(card: Card) -> str:
    """Where the set comes from, on what terms, and what it is."""
    facts = card.facts
    lines = [f"{facts['name']} ({facts['year']}), status: {facts['status']}", f"Offered by: {facts['owner']}"]
    lines += [f"Page: {facts['source']}", f"Terms: {facts['terms']}", f"Consent: {facts['consent']}", "", card.text]
    return "\n".join(lines)


def verify(card: Card, records: Records, *, partial: bool, decode: bool) -> int:
    """Check numbers, pictures, copies and checksums; write what was found below ``.reidkit`` in the set's folder."""
    print(records.summary().to_string())
    if not partial and not compare_counts(records).empty:
        require_counts(records)
    assert records.root is not None
    kept = records.root / KEPT / records.name
    broken = check_images(records, strict=False) if decode else None
    copies = find_duplicates(records, progress=True) if decode else None
    changes = compare_manifest(records, kept / "manifest.json") if decode else []
    findings = {
        "set": card.facts["name"],
        "splits": records.summary().to_dict("index"),
        "cameras": list(records.camera_names),
        "unparsed": records.frame.attrs.get("unparsed", []),
        "unreadable": [] if broken is None else broken["path"].tolist(),
        "copies_within_a_split": None if copies is None else int((~copies["across"]).sum()),
        "copies_across_splits": None if copies is None else copies.loc[copies["across"], "path"].tolist(),
        "changed_since_first_seen": changes,
        "decoded": decode,
        "checked": _now(),
        "reidkit": _version(),
    }
    write_json(kept / "findings.json", findings)
    records.write(kept / "records.parquet")
    write_atomically(kept / "CARD.md", lambda path: path.write_text(_filled(card, records), encoding="utf-8"))
    problems = [*findings["unreadable"], *changes]
    for problem in problems[:20]:
        print(problem)
    if copies is not None and len(copies):
        told = f"{findings['copies_within_a_split']} within a split, {len(findings['copies_across_splits'])} across splits"
        print(f"pictures with a copy, byte for byte: {told}")
    print(f"{len(problems)} problems; details in {kept / 'findings.json'}")
    return 1 if problems else 0


def compare_manifest(records: Records, path: Path) -> list[str]:
    """Differences from the checksums of the first run, which are stored at `path` when there are none yet."""
    assert records.root is not None
    found = {
        name: hashlib.sha256((records.root / name).read_bytes()).hexdigest()
        for name in tqdm(records.frame["path"], desc="checksums", unit="file")
    }
    if not path.is_file():
        write_json(path, found)
        return []
    stored: dict[str, str] = json.loads(path.read_text(encoding="utf-8"))
    changed = [f"changed: {name}" for name in sorted(found.keys() & stored.keys()) if found[name] != stored[name]]
    gone = [f"missing: {name}" for name in sorted(stored.keys() - found.keys())]
    return changed + gone + [f"new: {name}" for name in sorted(found.keys() - stored.keys())]


def _require_terms(card: Card, accepted: bool) -> None:
    if card.facts["must_accept"] and not accepted:
        raise FormatError(
            f"{card.facts['name']}: the owner's terms were not accepted. {card.facts['terms']}",
            rule="You use a set under its owner's terms, and the kit records that you accepted them.",
            action=f"Read {card.facts['source']}, then pass --accept-terms.",
        )


def record_terms(card: Card, root: Path) -> None:
    """Write below `root` what was accepted, where it stands and when (not by whom); the first acceptance of a text stays.

    Done before anything is read, so that it is there whatever becomes of the copy.
    """
    if not root.is_dir():
        raise FormatError(f"{root}: no such folder.", rule="A copy that you hold is a folder.", action="Check the path.")
    kept = root / KEPT / str(card.facts["name"]) / "terms.json"
    facts = {key: card.facts[key] for key in ("name", "version", "owner", "source", "terms", "must_accept")}
    facts["accepted"] = bool(card.facts["must_accept"])
    if kept.is_file() and facts.items() <= json.loads(kept.read_text(encoding="utf-8")).items():
        return
    write_json(kept, facts | {"when": _now(), "reidkit": _version()})


def _filled(card: Card, records: Records) -> str:
    """The card, with what was found in this copy below it."""
    found = records.summary().to_string()
    lines = [f"# {card.facts['name']}", about(card), "## This copy", "", f"Checked {_now()}.", "", "```", found, "```"]
    return "\n".join(lines) + "\n"


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def _version() -> str:
    try:
        return version("reidkit")
    except PackageNotFoundError:
        return "not installed"


def _parser(card: Card) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=f"{card.facts['name']}: without arguments, print its card; else unpack and verify a copy that you hold."
    )
    place = parser.add_mutually_exclusive_group()
    place.add_argument("--archive", type=Path, action="append", default=[], help="an archive as published; repeat for several")
    place.add_argument("--root", type=Path, help="a folder that is already extracted")
    parser.add_argument("--out", type=Path, default=Path("data") / str(card.facts["layout"]), help="folder to extract to")
    parser.add_argument("--accept-terms", action="store_true", help="you have read the owner's terms and keep to them")
    parser.add_argument("--partial", action="store_true", help="accept other numbers than the published ones")
    parser.add_argument("--quick", action="store_true", help="only read names: no decoding, no checksums, no search for copies")
    return parser


def known_cards() -> list[str]:
    """Names of all cards that have a script of their own (rendered worlds come from ``make_world.py``)."""
    return sorted(path.stem for path in CARDS.glob("*.md") if not path.stem.startswith("world_"))


if __name__ == "__main__":
    print(f"Run the script of a set: {shown(known_cards(), 30)}")
