"""What a recipe does otherwise than the files say, to be told and kept."""

from __future__ import annotations

from dataclasses import dataclass

from ceinms_torch.io.display import OneLine


@dataclass(frozen=True, kw_only=True)
class Override(OneLine):
    """Something that a recipe does otherwise than the files say.

    Parameters
    ----------
    what : str
        What is overridden.
    file : str
        What the files say.
    recipe : str
        What counts instead.
    why : str
        The reason.
    """

    what: str
    file: str
    recipe: str
    why: str

    def __str__(self) -> str:
        """Say it in one line."""
        return f"{self.what}: {self.recipe} instead of {self.file} ({self.why})"
