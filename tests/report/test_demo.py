"""The study on made-up returns: is the truth found, and does everything say that it is made up?"""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

import clsimpact as ci
from clsimpact.cli import main
from clsimpact.report.demo import DEMO_OUTCOMES, Demonstration, compare_with_truth, demonstrate
from clsimpact.simulate.memory import simulated_panel
from clsimpact.simulate.world import simulate_world

pytestmark = pytest.mark.whole_set


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> tuple[Demonstration, Path]:
    folder = tmp_path_factory.mktemp("demo")
    return demonstrate(folder, seed=1), folder


def test_every_claim_and_outcome_has_a_row(demo: tuple[Demonstration, Path]) -> None:
    claims = demo[0].claims
    expected = [pair for name, claim in DEMO_OUTCOMES.items() for pair in ((claim, name), ("C5", name))]
    assert list(zip(claims["claim"], claims["outcome"], strict=True)) == expected
    assert claims[["truth", "estimate", "conf_low", "conf_high"]].notna().all(axis=None)


def test_the_truth_is_what_was_put_in(demo: tuple[Demonstration, Path]) -> None:
    path = demo[0].path.set_index(["outcome", "event_time"])["truth"]
    funded = path["funded_mid"]
    assert funded[funded.index >= 0].round(12).eq(-0.10).all()
    assert path["gce_per_adult"].eq(0).all()
    assert path[path.index.get_level_values("event_time") < 0].eq(0).all()


def test_most_intervals_hold_the_truth(demo: tuple[Demonstration, Path]) -> None:
    """With 95% intervals, fewer than three quarters of some forty points would be very unlikely."""
    inside = demo[0].path["inside"].dropna()
    assert len(inside) > 30
    assert inside.mean() > 0.75


def test_every_file_says_simulated(demo: tuple[Demonstration, Path]) -> None:
    files = [path for path in demo[1].rglob("*") if path.is_file()]
    assert all(path.name.startswith("SIMULATED") or path.name == "manifest.toml" for path in files)
    page = (demo[1] / "SIMULATED demo.md").read_text(encoding="utf-8")
    assert page.startswith("# SIMULATED")
    assert set(demo[0].files) <= {path.name for path in files}


def test_words_and_figures_of_a_made_up_panel_say_so() -> None:
    tagged = ci.tag_adoption(simulated_panel(1), simulate_world(1).adoption())
    _, fits = compare_with_truth(tagged, simulate_world(1).effects())
    fit = fits["funded_mid"]
    assert fit.design.simulated
    assert "SIMULATED" in fit.summary()
    assert "SIMULATED" in fit.explain() or "simulated" in fit.explain()
    axes = fit.plot()
    assert any(text.get_text() == "SIMULATED" for text in axes.texts)
    assert fit.provenance["data"]["simulated"] is True
    official = ci.Design(
        ci.tag_adoption(ci.load_panel(), ci.load_adoption()),
        outcome="gce_per_adult",
        unit="ons_code",
        time="year",
        cohort="adoption_year",
    )
    assert not official.simulated
    assert not any(text.get_text() == "SIMULATED" for text in ci.event_study(official).plot().texts)


def test_a_changed_truth_is_followed() -> None:
    """The comparison is against what was put in, not against a fixed list."""
    world = simulate_world(1)
    tagged = ci.tag_adoption(simulated_panel(1), world.adoption())
    effects = world.effects()
    shifted = effects.assign(effect=effects["effect"] + effects["event_time"].ge(0) * 0.5)
    found, _ = compare_with_truth(tagged, shifted)
    after = found.path[(found.path["outcome"] == "funded_mid") & (found.path["event_time"] >= 0)]
    assert not after["inside"].any()


def test_the_command_prints_estimate_against_truth(
    demo: tuple[Demonstration, Path],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[tuple[object, object]] = []

    def done(out: object, *, seed: object, progress: object) -> Demonstration:
        asked.append((out, seed))
        return demo[0]

    monkeypatch.setattr("clsimpact.report.demo.demonstrate", done)
    assert main(["demo", "--out", str(tmp_path), "--seed", "1"]) == 0
    assert asked == [(str(tmp_path), 1)]
    shown = capsys.readouterr().out
    assert "SIMULATED: estimate against the truth that was put in" in shown
    assert shown.count("holds the truth") + shown.count("misses the truth") == 2 * len(DEMO_OUTCOMES)
    table = pd.read_csv(demo[1] / "SIMULATED claims.csv")
    assert len(table) == 2 * len(DEMO_OUTCOMES)
