"""Steps: kept by what they were made from, taken up, made again where something is lost."""

from __future__ import annotations

import io
import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clsimpact.datasets import example_design
from clsimpact.errors import SourceError
from clsimpact.estimators import event_study
from clsimpact.plots.event_study import event_study_figure
from clsimpact.plots.style import PALETTE
from clsimpact.report import steps as module
from clsimpact.report._table import Table
from clsimpact.report.pieces import adoption, claims
from clsimpact.report.product import Product, draw, read_product, write_product
from clsimpact.report.steps import Done, Step, forget, run_steps, step_key
from clsimpact.report.study import load_study
from clsimpact.report.study_data import StudyData, load_study_data
from tests.report.conftest import read_exactly

FIRST = Step("adoption", "who", "adoption")
SECOND = Step("claims", "what", "claims")
LOST = Step("lost", "nothing", "no_such_piece")


@pytest.fixture(scope="module")
def data(small_study: Path) -> StudyData:
    return load_study_data(load_study(small_study))


def made(out: Path, data: StudyData, *steps: Step, **options: Any) -> list[Done]:
    return run_steps(
        steps or (FIRST, SECOND),
        data.study,
        data,
        out,
        study_path=data.study.folder / "study.toml",
        **options,
    )


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory, data: StudyData) -> tuple[Path, list[Done]]:
    out = tmp_path_factory.mktemp("first")
    return out, made(out, data)


@pytest.fixture
def copy(first: tuple[Path, list[Done]], tmp_path: Path) -> tuple[Path, list[Path]]:
    out = tmp_path / "copy"
    shutil.copytree(first[0], out)
    return out, [out / it.folder.relative_to(first[0]) for it in first[1]]


def same(one: Product, other: Product) -> None:
    assert one.files == other.files
    assert one.rows == other.rows
    assert one.figures == other.figures
    assert one.facts == other.facts
    for a, b in zip(one.tables, other.tables, strict=True):
        pd.testing.assert_frame_equal(a.frame, b.frame)
        assert a.rows == b.rows


class TestTakenUp:
    def test_a_second_run_makes_nothing(
        self, first: tuple[Path, list[Done]], data: StudyData, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        assert [it.kept for it in first[1]] == [False, False]
        monkeypatch.setattr(adoption, "make", None)
        monkeypatch.setattr(claims, "make", None)
        again = made(first[0], data)
        assert [(it.kept, it.seconds) for it in again] == [(True, 0.0)] * 2
        for one, other in zip(first[1], again, strict=True):
            same(one.product, other.product)

    def test_fresh_makes_every_step(self, copy: tuple[Path, list[Path]], data: StudyData) -> None:
        assert not made(copy[0], data, FIRST, fresh=True)[0].kept

    @pytest.mark.parametrize("harm", ["no list", "cut list", "no file", "changed file"])
    def test_what_is_half_written_is_made_again(
        self,
        copy: tuple[Path, list[Path]],
        first: tuple[Path, list[Done]],
        data: StudyData,
        harm: str,
    ) -> None:
        folder = copy[1][0]
        where, file = folder / "product.json", folder / "files" / "trace" / "units.csv"
        if harm == "no list":
            where.unlink()
        elif harm == "cut list":
            where.write_bytes(where.read_bytes()[:-20])
        elif harm == "no file":
            file.unlink()
        else:
            file.write_bytes(file.read_bytes() + b" ")
        again = made(copy[0], data)
        assert [it.kept for it in again] == [False, True]
        same(again[0].product, first[1][0].product)

    def test_rows_know_their_step(self, first: tuple[Path, list[Done]]) -> None:
        for it in first[1]:
            assert {row.step for row in it.product.rows} == {it.step.name}

    def test_progress_counts_what_was_taken_up(self, copy: tuple[Path, list[Path]], data: StudyData) -> None:
        (copy[1][1] / "product.json").unlink()
        told: list[tuple[str, int, int]] = []
        made(copy[0], data, progress=lambda *it: told.append(it))
        assert told == [("what", 2, 2)]


class TestStopped:
    @pytest.mark.parametrize("error", [ValueError("broken"), KeyboardInterrupt()])
    def test_finished_steps_are_taken_up(
        self, tmp_path: Path, data: StudyData, monkeypatch: pytest.MonkeyPatch, error: BaseException
    ) -> None:
        def stop(_: StudyData) -> Product:
            raise error

        with monkeypatch.context() as patch:
            patch.setattr(claims, "make", stop)
            with pytest.raises(type(error)):
                made(tmp_path, data)
        again = made(tmp_path, data)
        assert [it.kept for it in again] == [True, False]

    def test_other_processes_make_the_same_and_keep_it_when_one_fails(
        self, tmp_path: Path, first: tuple[Path, list[Done]], data: StudyData
    ) -> None:
        with pytest.raises(ModuleNotFoundError):
            made(tmp_path, data, FIRST, SECOND, LOST, workers=2)
        for one, other in zip(first[1], made(tmp_path, data), strict=True):
            assert other.kept
            same(one.product, other.product)

    def test_what_cannot_be_read_again_is_an_error(
        self, tmp_path: Path, data: StudyData, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(module, "write_product", lambda *_: None)
        with pytest.raises(SourceError, match="cannot be read again"):
            made(tmp_path, data, FIRST)


class TestKey:
    def test_it_changes_with_what_a_step_depends_on(
        self, data: StudyData, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        keys = [step_key(FIRST, data.study, data), step_key(SECOND, data.study, data)]
        keys.append(step_key(FIRST, replace(data.study, text=data.study.text + "\n# other"), data))
        keys.append(step_key(FIRST, data.study, replace(data, inputs={"panel.csv": "0" * 64})))
        with monkeypatch.context() as patch:
            patch.setattr(module, "library_digest", lambda: "other")
            keys.append(step_key(FIRST, data.study, data))
        with monkeypatch.context() as patch:
            patch.setattr(module, "library_versions", lambda: {"numpy": "0"})
            keys.append(step_key(FIRST, data.study, data))
        assert len(set(keys)) == len(keys)
        assert step_key(FIRST, data.study, data) == keys[0]

    def test_older_ones_are_forgotten(self, copy: tuple[Path, list[Path]], data: StudyData) -> None:
        old, other = copy[0] / ".steps" / "adoption-0", copy[0] / ".steps" / "gathered"
        old.mkdir()
        other.mkdir()
        done = made(copy[0], data)
        forget(done)
        assert not old.exists()
        assert other.is_dir()
        assert all(it.folder.is_dir() for it in done)


class TestKept:
    @given(
        st.lists(st.floats(allow_nan=True, allow_infinity=True), min_size=1, max_size=5),
        st.lists(st.text(max_size=8), min_size=5, max_size=5),
    )
    def test_tables_come_back_to_the_last_digit(self, numbers: list[float], words: list[str]) -> None:
        import tempfile

        frame = pd.DataFrame({"a": [f"x{word}" for word in words[: len(numbers)]], "b": numbers})
        frame["n"] = pd.array([None, *range(len(numbers) - 1)], dtype="Int64")
        table = Table(
            "t", "T", frame, {"a": "A", "b": "B", "n": "N"}, ("A note.",), "S", decimals={"n": None}
        )
        with tempfile.TemporaryDirectory() as place:
            write_product(Product(tables=[table], facts={"x": [1, "a"]}), Path(place) / "p")
            back = read_product(Path(place) / "p")
        assert back is not None
        pd.testing.assert_frame_equal(back.tables[0].frame, table.frame, check_exact=True)
        assert (back.tables[0].notes, back.tables[0].source) == (("A note.",), "S")
        assert dict(back.tables[0].decimals) == {"n": None}
        assert back.facts == {"x": [1, "a"]}

    def test_the_list_holds_hashes(self, first: tuple[Path, list[Done]]) -> None:
        values = json.loads((first[1][0].folder / "product.json").read_text(encoding="utf-8"))
        assert set(values["files"]) == set(first[1][0].product.files)
        assert {len(it) for it in values["files"].values()} == {64}


@pytest.fixture(scope="module")
def drawn() -> Product:
    product = Product()
    draw(product, "it", event_study_figure(event_study(example_design())), function="f", outcome="y")
    return product


class TestDraw:
    def test_drawings_data_and_words(self, drawn: Product) -> None:
        assert list(drawn.files) == [f"figures/it.{suffix}" for suffix in ("svg", "png", "csv", "txt")]
        figure, row = drawn.figures[0], drawn.rows[0]
        assert drawn.files["figures/it.txt"].decode() == f"{figure.alt_text}\n"
        assert len(figure.alt_text) > 100
        assert (row.id, row.kind, row.outcome) == ("figure-it", "figure", "y")
        assert figure.alt_text in row.text
        expected = event_study_figure(event_study(example_design())).data
        read = read_exactly(io.BytesIO(drawn.files["figures/it.csv"]))
        np.testing.assert_array_equal(read["estimate"], expected["estimate"])

    def test_the_same_bytes_twice(self, drawn: Product) -> None:
        again = Product()
        draw(again, "it", event_study_figure(event_study(example_design())), function="f", outcome="y")
        assert again.files == drawn.files
        assert b"<dc:date>" not in drawn.files["figures/it.svg"]

    def test_spots_stand_on_the_points(self, drawn: Product) -> None:
        """The colour of the drawing at each spot is that of the markers; beside it, it is not."""
        pixels = mpl.image.imread(io.BytesIO(drawn.files["figures/it.png"]))
        colour = np.array(mpl.colors.to_rgb(PALETTE[0]))
        spots = [it for it in drawn.figures[0].spots if not it[2].endswith(": 0")]
        assert len(spots) >= 5
        for left, top, words in spots:
            x, y = round(left / 100 * pixels.shape[1]), round(top / 100 * pixels.shape[0])
            np.testing.assert_allclose(pixels[y, x, :3], colour, atol=0.02, err_msg=words)
            assert not np.allclose(pixels[y, x - 40, :3], colour, atol=0.02)
