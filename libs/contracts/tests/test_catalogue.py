"""The catalogue: what operators write is checked, with the place of each mistake."""

from __future__ import annotations

from pathlib import Path

import pytest

from tracemypods.contracts.catalogue import CatalogueError, load_catalogue

SHIPPED = Path(__file__).parents[3] / "config"

FREE = ["smollm2:135m", "tinyllama", "phi:2.7b", "phi1.5:1.3b"]


def write(folder: Path, change: tuple[str, str] | None = None) -> Path:
    text = (SHIPPED / "models.toml").read_text()
    if change is not None:
        assert change[0] in text
        text = text.replace(*change, 1)
    (folder / "models.toml").write_text(text)
    return folder


def test_the_shipped_catalogue_is_sound(tmp_path: Path) -> None:
    catalogue = load_catalogue(write(tmp_path))
    assert next(iter(catalogue.models)) == catalogue.default
    assert catalogue.names_for("free") == FREE
    assert catalogue.names_for("premium") == list(catalogue.models)


def test_premium_models_are_for_premium_plans() -> None:
    catalogue = load_catalogue(SHIPPED)
    for name, entry in catalogue.models.items():
        assert (name in catalogue.names_for("free")) == (entry.tier == "free")
    assert "mistral:7b" not in catalogue.names_for("free")
    assert "smollm2:135m-plus" not in catalogue.names_for("free")


def test_models_under_terms_are_offered_once_these_are_accepted() -> None:
    every = [*load_catalogue(SHIPPED, ["llama2", "gemma"]).models]
    assert {"gemma:2b", "llama2:7b", "codellama:7b"} <= set(every)
    plain = [*load_catalogue(SHIPPED).models]
    assert set(every) - set(plain) == {"gemma:2b", "llama2:7b", "codellama:7b"}
    assert set(load_catalogue(SHIPPED, ["gemma"]).models) - set(plain) == {"gemma:2b"}


def test_models_under_terms_come_with_the_notice_that_their_licence_asks_for() -> None:
    for entry in load_catalogue(SHIPPED, ["llama2", "gemma"]).models.values():
        if entry.terms is not None:
            assert entry.licence.notice
            assert entry.licence.use_policy


def test_terms_that_no_model_has_are_a_mistake() -> None:
    with pytest.raises(CatalogueError, match=r"ACCEPTED_TERMS names 'llama'.*gemma, llama2"):
        load_catalogue(SHIPPED, ["llama"])


def test_the_default_model_must_be_offered(tmp_path: Path) -> None:
    changed = write(tmp_path, ('default = "smollm2:135m"', 'default = "gemma:2b"'))
    with pytest.raises(CatalogueError, match=r"gemma:2b.*ACCEPTED_TERMS"):
        load_catalogue(changed)
    assert load_catalogue(changed, ["gemma"]).default == "gemma:2b"


def test_the_premium_profile_is_what_it_says() -> None:
    """The same weights, a longer context, longer answers."""
    models = load_catalogue(SHIPPED).models
    free, plus = models["smollm2:135m"], models["smollm2:135m-plus"]
    assert plus.upstream == "smollm2:135m"
    assert (plus.size_bytes, plus.source) == (free.size_bytes, free.source)
    assert plus.context_tokens > free.context_tokens
    assert plus.limits.max_answer_tokens > free.limits.max_answer_tokens
    for number in (plus.context_tokens, free.context_tokens, plus.limits.max_answer_tokens):
        assert f"{number:,}" in plus.notes


def test_base_models_have_a_template_and_chat_models_none() -> None:
    catalogue = load_catalogue(SHIPPED)
    base = [name for name, entry in catalogue.models.items() if entry.kind == "base"]
    assert base == ["phi:2.7b", "phi1.5:1.3b"]
    for entry in catalogue.models.values():
        assert (catalogue.prompt_template(entry) is None) == (entry.kind == "chat")


@pytest.mark.parametrize(
    ("name", "size", "memory"),
    [
        ("tinyllama", (1.1, None), (2, 4)),
        ("mistral:7b", (4.2, None), (8, 16)),
        ("codellama:7b", (4.5, 10), (16, 24)),
        ("llama2:7b", (4.5, 40), (16, 80)),
        ("phi:2.7b", (1.7, None), (3, 8)),
        ("phi1.5:1.3b", (1.5, None), (3, 4)),
        ("gemma:2b", (2.1, None), (4, None)),
    ],
)
def test_sizes_are_those_that_the_product_was_described_with(
    name: str, size: tuple[float, float | None], memory: tuple[float, float | None]
) -> None:
    """In GB; the range of memory is that of both tables of the description."""
    entry = load_catalogue(SHIPPED, ["llama2", "gemma"]).models[name]

    def gigabytes(least: int, most: int | None) -> tuple[float, float | None]:
        return least / 1e9, None if most is None else most / 1e9

    assert gigabytes(entry.size_bytes, entry.size_most_bytes) == size
    assert gigabytes(entry.memory_bytes, entry.memory_most_bytes) == memory


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("label =", "lable ="), "models.smollm2:135m.lable"),
        (("context_tokens = 4096", "context_tokens = 0"), "context_tokens"),
        (('tier = "free"', 'tier = "gold"'), "models.smollm2:135m.tier"),
        (('default = "smollm2:135m"', 'default = "other"'), "other"),
        (("[models.", "[models"), "models.toml"),
        (("max_answer_tokens = 1024", "max_answer_tokens = 2048"), "leaves no room"),
        (("default_answer_tokens = 512", "default_answer_tokens = 1025"), "default_answer_tokens"),
        (("memory_most_bytes = 4_000_000_000", "memory_most_bytes = 1"), "memory_most_bytes"),
        (('template = "instruct-output"', 'template = "chatml"'), "models.phi:2.7b.template"),
        (('"Instruct: {text}\\n"', '"Instruct:"'), "templates.instruct-output.question"),
        (('"Output: {text}\\n"', f'"{"x" * 41}{{text}}"'), "at most 40 characters"),
        (('stop = ["\\nInstruct:", "\\nOutput:"]', "stop = []"), "instruct-output.stop"),
        (("https://ai.google.dev/gemma/terms", "javascript:alert(1)"), "licence.url"),
        (('source = "https://huggingface.co/microsoft/phi-2"', 'source = "phi-2"'), "source"),
    ],
)
def test_mistakes_are_named(tmp_path: Path, change: tuple[str, str], said: str) -> None:
    with pytest.raises(CatalogueError, match=r"models\.toml") as error:
        load_catalogue(write(tmp_path, change))
    assert said in str(error.value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(CatalogueError, match=r"models\.toml: No such file"):
        load_catalogue(tmp_path)
