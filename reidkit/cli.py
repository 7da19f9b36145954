"""The command line: parses, calls one function, says what came of it. Everything heavy is imported inside a command."""

from __future__ import annotations

import json
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from reidkit.errors import ReidkitError, RunnerError

if TYPE_CHECKING:
    from reidkit.records import Records
    from reidkit.runner.plan import Job

USAGE = 2
SOURCE = "summer"  # what the networks of the lessons were trained on
BENCHES = "labels, ranking, rerank, kmeans, extract, maps, diagnosis, explorer or claims; table writes README's."
LESSON_WORLDS = (SOURCE, "winter", "hard-winter")
PLAIN = {"no_args_is_help": True, "add_completion": False, "pretty_exceptions_enable": False, "rich_markup_mode": None}
app = typer.Typer(help="Learn unsupervised person re-identification, and diagnose its pseudo-labels.", **PLAIN)  # type: ignore[arg-type]
data = typer.Typer(help="Make, unpack and check data sets.", no_args_is_help=True, rich_markup_mode=None)
app.add_typer(data, name="data")


def main() -> None:
    """Run the command line; a refusal, of reidkit or of the file system, is shown as its message, with exit status 2."""
    try:
        app()
    except (ReidkitError, OSError) as error:
        typer.echo(f"reidkit: {error}", err=True)
        sys.exit(USAGE)


@app.command()
def run(
    notebooks: Annotated[list[Path] | None, typer.Argument(help="Notebooks or folders; none means notebooks/.")] = None,
    profile: Annotated[Literal["smoke", "demo", "full"], typer.Option(help="Size of the run.")] = "smoke",
    out: Annotated[Path | None, typer.Option(help="Folder of the results; runs/<profile> when not given.")] = None,
    parameter: Annotated[list[str] | None, typer.Option("-p", metavar="NAME=VALUE", help="A parameter; repeat for more.")] = None,
    jobs: Annotated[int | None, typer.Option(help="Notebooks at a time; two where there are two cores.")] = None,
    time_limit: Annotated[float | None, typer.Option(help="Seconds a notebook, 0 for none; 600 at smoke, 1800 at demo.")] = None,
) -> None:
    """Execute notebooks headless and judge each one.

    Exit status: 0 all passed, 1 a notebook failed or swallowed an exception, 2 the run could not start,
    124 over the time limit, 130 interrupted, 138 a kernel died.
    """
    from reidkit.runner.run import run_notebooks
    from reidkit.runner.table import event_line, result_table

    def listen(event: Job | dict[str, Any]) -> None:
        typer.echo(event_line(event), err=True)

    signal.signal(signal.SIGTERM, signal.default_int_handler)  # a polite end is an interrupt: what ran is reported
    given = _split_parameters(parameter or [])
    report = run_notebooks(
        notebooks or [], profile=profile, out=out, parameters=given, jobs=jobs, time_limit=time_limit, listen=listen
    )
    typer.echo(result_table(report.records, report.not_run))
    typer.echo(f"Results: {report.index}")
    raise typer.Exit(report.exit_code)


@app.command()
def doctor(as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False) -> None:
    """Say what is installed, which accelerators work, where data is looked for, and how to repair what is missing."""
    from reidkit.doctor import examine, repair_command, to_text

    findings = examine()
    command = repair_command(findings)
    healthy = not any(finding.state == "bad" for finding in findings)
    if as_json:
        rows = [vars(finding) for finding in findings]
        typer.echo(json.dumps({"healthy": healthy, "repair": command, "findings": rows}, indent=1))
    else:
        typer.echo(to_text(findings, command))
    raise typer.Exit(0 if healthy else 1)


@app.command()
def diagnose(
    table: Annotated[Path, typer.Argument(help="Dump with labels and cameras: CSV, Parquet, .npz, .npy, .mat, .pth.")],
    out: Annotated[Path, typer.Option(help="Report to write, one HTML file.")] = Path("report.html"),
    features: Annotated[Path | None, typer.Option(help="Dump with features (N, D), row by row the same images.")] = None,
    graph: Annotated[Path | None, typer.Option(help="Sparse distances, as scipy.sparse.save_npz stores them.")] = None,
    column: Annotated[list[str] | None, typer.Option(metavar="WANTED=FOUND", help="Its name in the table; repeat.")] = None,
) -> None:
    """Say what is wrong with the pseudo-labels of any code base."""
    from reidkit.diagnose import diagnose_files

    diagnosis = diagnose_files(table, features=features, graph=graph, columns=_split_parameters(column or []))
    diagnosis.report(out)
    typer.echo(diagnosis.describe())
    typer.echo(f"Report: {out}")


@app.command()
def analyst(
    table: Annotated[Path, typer.Argument(help="Dump with labels and cameras, as for diagnose.")],
    features: Annotated[Path | None, typer.Option(help="Dump with features (N, D), row by row the same images.")] = None,
    graph: Annotated[Path | None, typer.Option(help="Sparse distances, as scipy.sparse.save_npz stores them.")] = None,
    images: Annotated[Path | None, typer.Option(help="Folder that the file names in the table are relative to.")] = None,
    column: Annotated[list[str] | None, typer.Option(metavar="WANTED=FOUND", help="Its name in the table; repeat.")] = None,
    port: Annotated[int, typer.Option(min=1, max=65535, help="First port to try.")] = 8866,
    browser: Annotated[bool, typer.Option(help="Whether to open a browser.")] = True,
) -> None:
    """Look at the pseudo-labels of any code base in a browser: linked maps, galleries and tables, on this machine only."""
    from reidkit.analyst import Source
    from reidkit.analyst.serve import serve

    source = Source.of(table, features=features, graph=graph, images=images, columns=_split_parameters(column or []))
    typer.echo(source.diagnose().describe())
    serve(source, port=port, browser=browser)


@app.command()
def bench(
    what: Annotated[str, typer.Argument(help=BENCHES)],
    size: Annotated[list[int] | None, typer.Option(help="Images; repeat for several. The goals' sizes when not given.")] = None,
    repeats: Annotated[int, typer.Option(min=1, help="Runs of each contestant, which take turns.")] = 3,
    out: Annotated[Path | None, typer.Option(help="Folder of the record; runs/bench, for table docs/records.")] = None,
    quick: Annotated[bool, typer.Option("--quick", help="A few hundred images, to try the measurement itself.")] = False,
    most_seconds: Annotated[float, typer.Option(min=1, help="What is expected to take longer a run is skipped.")] = 900,
    readme: Annotated[Path, typer.Option(help="File that table writes into.")] = Path("README.md"),
    profile: Annotated[Literal["smoke", "demo", "full"], typer.Option(help="Size of the runs of claims.")] = "demo",
    seed: Annotated[list[int] | None, typer.Option(help="Seed of claims; repeat for several. 0, 1 and 2 when not given.")] = None,
    world: Annotated[list[str] | None, typer.Option(help="Worlds of claims: standard, hard, dependent; repeat.")] = None,
    claim: Annotated[list[str] | None, typer.Option(help="A claim by number, for instance C-29; repeat.")] = None,
) -> None:
    """Measure against others, in one run on the same features: time, memory, agreement, goals."""
    from reidkit.bench import run as measurements
    from reidkit.bench import table

    if what == "table":
        changed = table.update_readme(readme, out or Path("docs/records"))
        typer.echo(f"{readme}: {'written' if changed else 'as it should be'}")
        return
    if what == "claims":
        from reidkit.bench import claims
        from reidkit.trials import PAIRS

        chosen: dict[str, Any] = {"seeds": seed or (0, 1, 2), "worlds": world or tuple(PAIRS), "claims": claim or ()}
        place = out or Path("docs")
        claims.run_claims(place, profile=profile, **chosen, say=typer.echo, progress=sys.stderr.isatty())
        typer.echo(f"Record: {place / 'records' / 'claims.json'}; page: {place / 'claims.md'}")
        return
    limits: dict[str, Any] = {"repeats": repeats, "limit": most_seconds}
    folder = out or Path("runs/bench")
    measurements.bench(what, sizes=size or [], quick=quick, out=folder, say=lambda line: typer.echo(line, err=True), **limits)
    typer.echo(f"Record: {measurements.record_path(folder, what)}")


@data.command()
def world(
    preset: Annotated[str, typer.Argument(help="Preset, for instance summer or winter.")],
    out: Annotated[Path, typer.Option(help="Folder to write, in the Market-1501 layout with world.parquet.")],
    seed: Annotated[int, typer.Option(help="Seed of people, cameras and pictures.")] = 0,
    size: Annotated[str | None, typer.Option(help="XS, S, M or L: about 150 to 32,000 training images.")] = None,
) -> None:
    """Render a synthetic camera network."""
    from reidkit.world import make_world

    _describe(make_world(preset, seed, out=out, size=size, progress=sys.stderr.isatty()), out)


@data.command()
def worlds(
    profile: Annotated[Literal["smoke", "demo", "full"], typer.Option(help="Size of the run.")] = "smoke",
) -> None:
    """Render the worlds that several lessons use at a profile's size, once, into the cache that they read."""
    from reidkit.stages import cache_folder, shared_world

    for preset in LESSON_WORLDS:
        _describe(shared_world(profile, preset), cache_folder() / "worlds")


@data.command()
def networks(
    profile: Annotated[Literal["smoke", "demo", "full"], typer.Option(help="Size of the run.")] = "smoke",
) -> None:
    """Train the networks that lessons start from, one a seed, on the source world; once, into the same cache."""
    from reidkit.stages import cache_folder, pretrained
    from reidkit.stages import profile as find_profile

    for seed in range(find_profile(profile).seeds):
        pretrained(profile, SOURCE, seed)
        typer.echo(f"network {SOURCE}, seed {seed}: {cache_folder() / 'pretrained'}")


@data.command()
def omniglot(
    archive: Annotated[list[Path], typer.Option(help="A published archive; repeat for several.")],
    out: Annotated[Path, typer.Option(help="Folder to write.")],
) -> None:
    """Unpack Omniglot's archives: characters are identities, the people who drew them are cameras."""
    from reidkit.formats import omniglot as layout

    _describe(layout.unpack(archive, out), out)


@data.command()
def check(
    root: Annotated[Path, typer.Argument(help="Folder or table of a data set.")],
    layout: Annotated[str, typer.Option(help="Name of the layout; auto detects it.")] = "auto",
) -> None:
    """Read a data set, decode every picture, and list what cannot be read; exit status 1 when there is any."""
    from reidkit.formats import load
    from reidkit.images.decode import check_images

    records = load(root, layout)
    _describe(records, root)
    broken = check_images(records, strict=False, progress=sys.stderr.isatty())
    typer.echo(f"{len(broken)} of {len(records)} pictures cannot be read.")
    if len(broken):
        typer.echo(broken.to_string(index=False, max_colwidth=90))
        raise typer.Exit(1)


def _describe(records: Records, place: Path) -> None:
    typer.echo(records.summary().to_string())
    typer.echo(f"{len(records)} images, {records.num_cameras} cameras: {place}")


def _split_parameters(given: list[str]) -> dict[str, str]:
    """``["seed=3"]`` as ``{"seed": "3"}``."""
    found: dict[str, str] = {}
    for text in given:
        name, equals, value = text.partition("=")
        if not equals or not name.isidentifier() or name in found:
            fault = "is given twice" if name in found else "is not NAME=VALUE"
            raise RunnerError(f"-p {text} {fault}.", rule="Each parameter is given once, as NAME=VALUE.", action="Correct it.")
        found[name] = value
    return found
