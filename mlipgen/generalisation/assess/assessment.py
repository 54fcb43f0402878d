"""An assessment as a whole, and its file: JSON of a published schema and a version."""

from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from ... import __version__
from .defect_sections import DefectSection, Ranked
from .sections import Asked, CrystalSection, ModelFacts, Question, Shopping

#: What the file is, and the version of its form; a change that old readers would not survive
#: raises it.
FORMAT, VERSION = "mlipgen assessment", 1


@dataclass(frozen=True)
class Assessment:
    """The error of a candidate's defect simulations, as far as small cells of the reference tell.

    verdict : in words, the most important first
    """

    candidate: ModelFacts
    reference: ModelFacts
    question: Question
    crystal: CrystalSection
    defects: list[DefectSection]
    ranking: list[Ranked]
    shopping: Shopping | None
    asked: list[Asked]
    verdict: list[str]
    format: str = FORMAT
    version: int = VERSION
    library: str = __version__

    def to_json(self) -> bytes:
        import msgspec

        # numpy's numbers are Python's
        text = msgspec.json.encode(self, enc_hook=lambda number: number.item())
        return msgspec.json.format(text, indent=1)

    @classmethod
    def from_json(cls, text: bytes | str, name: str = "the file") -> "Assessment":
        """The assessment in a JSON text.

        Raises
        ------
        ValueError      for another version of the form, or something that is no assessment
        """
        import msgspec

        try:
            head = msgspec.json.decode(text, type=_Head)
        except msgspec.MsgspecError as error:
            raise ValueError(f"{name} is no assessment of mlipgen: {error}") from None
        if head.format != FORMAT:
            raise ValueError(f"{name} is no assessment of mlipgen but {head.format!r}")
        if head.version != VERSION:
            raise ValueError(
                f"{name} is an assessment of version {head.version}, written by mlipgen "
                f"{head.library}; this one, {__version__}, reads version {VERSION}: run `mlipgen "
                "assess` again, which asks no label twice"
            )
        try:
            return msgspec.json.decode(text, type=cls)
        except msgspec.MsgspecError as error:
            raise ValueError(f"{name} is a damaged assessment: {error}") from None

    def save(self, path: str | Path) -> None:
        Path(path).write_bytes(self.to_json())

    @classmethod
    def load(cls, path: str | Path) -> "Assessment":
        return cls.from_json(Path(path).read_bytes(), str(path))


@dataclass(frozen=True)
class _Head:
    """The first thing to look at in any version of the form."""

    format: str
    version: int
    library: str = "?"


def schema() -> dict:
    """The JSON schema of the form, as published in data/report.schema.json."""
    import msgspec

    own = msgspec.json.schema(Assessment)
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": FORMAT, **own}


def published_schema() -> bytes:
    return (files("mlipgen.generalisation") / "data" / "report.schema.json").read_bytes()
