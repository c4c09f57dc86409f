"""The truth of a made-up world: what a path says, what is refused, and that a truth file keeps everything."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clsimpact.errors import ClsimpactError
from clsimpact.simulate.truth import DEFAULT_EFFECTS, Contamination, Recording, Truth

LEEDS, DERBY = "E08000035", "E06000015"


def test_the_last_number_of_a_path_holds_ever_after() -> None:
    truth = Truth()
    path = [truth.effect("signposted", event_time) for event_time in range(-2, 7)]
    assert path == [0.0, 0.0, 0.06, 0.06, 0.04, 0.02, 0.0, 0.0, 0.0]
    assert [truth.effect("funded_mid", event_time) for event_time in (-1, 0, 9)] == [0.0, -0.10, -0.10]
    assert [truth.effect("planned_share", event_time) for event_time in (0, 1, 2, 3)] == [0, 0, 0.06, 0.06]
    assert truth.effect("gce_per_adult", 5) == 0.0


def test_anticipation_is_a_share_of_event_year_0_one_year_before() -> None:
    truth = Truth(anticipation=0.5)
    assert [truth.effect("funded_mid", event_time) for event_time in (-2, -1, 0)] == [0.0, -0.05, -0.10]


def test_a_cohort_multiplies_its_effects() -> None:
    truth = Truth(cohort_multiplier={2017: 0.5})
    assert truth.effect("funded_mid", 0, cohort=2017) == -0.05
    assert truth.effect("funded_mid", 0, cohort=2018) == -0.10


def test_an_outcome_that_is_left_out_has_no_effect_and_an_unknown_one_is_refused() -> None:
    assert Truth(effects={}).effect("funded_mid", 3) == 0.0
    with pytest.raises(ClsimpactError, match=r"funded_narrow.*did you mean"):
        Truth().effect("funded_narrow", 0)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"anticipation": 1.5}, "anticipation=1.5 is no share"),
        ({"effects": {"funded_mdi": (-0.1,)}}, "did you mean 'funded_mid'"),
        ({"effects": {"funded_mid": ()}}, "is no path of numbers"),
        ({"effects": {"funded_mid": (-0.3,)}}, "outside -0.11 to 0.1"),
        ({"cohort_multiplier": {2016: 3.0}}, "effects.funded_mid reaches -0.3"),
        ({"adopters": {"E10000009": 2017}}, "no councils with the same boundaries in all years: E10000009"),
        ({"adopters": {LEEDS: 2030}}, "outside 2014 to 2023: E08000035: 2030"),
        ({"cohorts": (2014,)}, "need years from 2015 to 2022"),
        ({"n_adopters": 200}, "n_adopters=200"),
        ({"contamination": Contamination(councils=-1)}, "contamination.councils=-1"),
        ({"contamination": Contamination(share=2.0)}, "contamination.share=2.0"),
        ({"recording": Recording(factor=0.0)}, "recording.factor=0.0"),
        ({"recording": Recording(first_year=2030)}, "recording.first_year=2030"),
        ({"recording": Recording(among="someone")}, "recording.among='someone'"),  # type: ignore[arg-type]
    ],
)
def test_what_cannot_be_is_refused(wrong: dict[str, object], said: str) -> None:
    with pytest.raises(ClsimpactError) as caught:
        Truth(**wrong)  # type: ignore[arg-type]
    assert any(said in problem for problem in caught.value.problems)


def test_everything_wrong_is_told_at_once() -> None:
    with pytest.raises(ClsimpactError) as caught:
        Truth(anticipation=-1.0, n_adopters=-1, effects={"nothing": (0.0,)})
    assert len(caught.value.problems) == 3


SHARES = st.floats(0, 1, allow_nan=False)
TRUTHS = st.builds(
    Truth,
    adopters=st.none() | st.dictionaries(st.sampled_from([LEEDS, DERBY]), st.integers(2015, 2021)),
    n_adopters=st.integers(0, 80),
    cohorts=st.lists(st.integers(2015, 2022), min_size=1, max_size=4).map(tuple),
    effects=st.dictionaries(
        st.sampled_from(sorted(DEFAULT_EFFECTS)),
        st.lists(st.floats(-0.02, 0.02, allow_nan=False), min_size=1, max_size=5).map(tuple),
    ),
    cohort_multiplier=st.dictionaries(st.integers(2015, 2022), SHARES),
    anticipation=SHARES,
    contamination=st.builds(Contamination, st.integers(0, 60), SHARES, st.integers(2014, 2023)),
    recording=st.builds(Recording, st.integers(0, 100), st.floats(0.2, 5), st.just(2019), st.just("others")),
)


@settings(max_examples=40, deadline=None)
@given(TRUTHS)
def test_a_truth_file_keeps_everything(truth: Truth) -> None:
    assert Truth.from_toml(truth.to_toml()) == truth


def test_a_truth_file_says_that_it_is_made_up_and_may_leave_things_out() -> None:
    assert Truth().to_toml().startswith("# SIMULATED")
    assert Truth.from_toml("anticipation = 0.25") == Truth(anticipation=0.25)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("anticipation = = 1", "line 1"),
        ("anticipatoin = 0.1", "did you mean 'anticipation'"),
        ("[recording]\nfaktor = 2", "did you mean 'factor'"),
        ("recording = 3", "'recording' must be a table"),
        ("effects = 3", "effects must be a table"),
        ("[effects]\nfunded_mid = -0.1", "effects.funded_mid must be a list"),
        ('[cohort_multiplier]\n"early" = 2.0', "'early' is no year"),
        ("cohorts = 2016", "cohorts must be a list"),
        ("cohorts = ['2016']", "cohorts=['2016']"),
        ("anticipation = 'all'", "anticipation='all'"),
    ],
)
def test_a_truth_file_that_cannot_be_used_is_refused(text: str, said: str) -> None:
    with pytest.raises(ClsimpactError) as caught:
        Truth.from_toml(text)
    assert any(said in problem for problem in caught.value.problems)
