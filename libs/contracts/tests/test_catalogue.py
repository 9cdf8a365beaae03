"""The catalogue: what operators write is checked, with the place of each mistake."""

from __future__ import annotations

from pathlib import Path

import pytest

from tracemypods.contracts.catalogue import CatalogueError, load_catalogue

SHIPPED = Path(__file__).parents[3] / "config"


def write(folder: Path, change: tuple[str, str] | None = None) -> Path:
    text = (SHIPPED / "models.toml").read_text()
    if change is not None:
        assert change[0] in text
        text = text.replace(*change)
    (folder / "models.toml").write_text(text)
    return folder


def test_the_shipped_catalogue_is_sound(tmp_path: Path) -> None:
    catalogue = load_catalogue(write(tmp_path))
    assert catalogue.default in catalogue.models
    assert catalogue.names_for("free") == ["smollm2:135m"]


def test_premium_models_are_for_premium_plans(tmp_path: Path) -> None:
    catalogue = load_catalogue(write(tmp_path, ('tier = "free"', 'tier = "premium"')))
    assert catalogue.names_for("free") == []
    assert catalogue.names_for("premium") == ["smollm2:135m"]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("label =", "lable ="), "models.smollm2:135m.lable"),
        (("context_tokens = 4096", "context_tokens = 0"), "context_tokens"),
        (('tier = "free"', 'tier = "gold"'), "models.smollm2:135m.tier"),
        (('default = "smollm2:135m"', 'default = "other"'), "other"),
        (("[models.", "[models"), "models.toml"),
    ],
)
def test_mistakes_are_named(tmp_path: Path, change: tuple[str, str], said: str) -> None:
    with pytest.raises(CatalogueError, match=r"models\.toml") as error:
        load_catalogue(write(tmp_path, change))
    assert said in str(error.value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(CatalogueError, match=r"models\.toml: No such file"):
        load_catalogue(tmp_path)
