"""What the application is about: files, handed to the notebook's kernel through the environment."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass, field
from pathlib import Path

from reidkit.diagnose import Diagnosis, diagnose_files
from reidkit.errors import DiagnosisError

VARIABLE = "REIDKIT_ANALYST"


@dataclass(frozen=True)
class Source:
    """Files as `reidkit diagnose` takes them, and the folder that the table's file names are relative to.

    Attributes:
        table, features, graph, columns: see `diagnose_files`.
        images: folder of the pictures; without one no picture is shown.
    """

    table: str
    features: str | None = None
    graph: str | None = None
    images: str | None = None
    columns: dict[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, table: Path, *, columns: dict[str, str], **files: Path | None) -> Source:
        """From paths, which are made absolute: the kernel works in another folder."""
        absolute = {name: str(path.resolve()) for name, path in files.items() if path is not None}
        return cls(str(table.resolve()), columns=columns, **absolute)  # type: ignore[arg-type]

    def diagnose(self) -> Diagnosis:
        """Read and diagnose; refuses as `diagnose_files` does."""
        return diagnose_files(self.table, features=self.features, graph=self.graph, columns=self.columns)

    def environment(self) -> dict[str, str]:
        """What a kernel that should find this source needs."""
        return {VARIABLE: json.dumps(asdict(self))}

    @classmethod
    def from_environment(cls) -> Source:
        """The source that `environment` handed on."""
        try:
            return cls(**json.loads(os.environ[VARIABLE]))
        except (KeyError, TypeError, json.JSONDecodeError) as error:
            rule = f"The notebook reads {VARIABLE}, which `reidkit analyst TABLE` sets."
            raise DiagnosisError("No table was named.", rule=rule, action="Start it with `reidkit analyst TABLE`.") from error
