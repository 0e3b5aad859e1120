"""The catalogue is data that people edit: what the nodes rely on is checked here."""

import json
import subprocess
import sys

import pytest

from runs.nodes import words
from runs.nodes.base import NodeFailure
from runs.nodes.catalogue import FOLDER, LODGINGS, City, cities, get_activity, get_city, ranked
from runs.nodes.reading import THEMES

ALL = sorted(cities().values(), key=lambda city: city.name)
every_city = pytest.mark.parametrize("city", ALL, ids=lambda city: city.name)


def test_there_are_enough_cities_worldwide() -> None:
    assert len(ALL) >= 40
    assert len({city.country for city in ALL}) >= 25


@every_city
def test_a_city_is_complete(city: City) -> None:
    assert len(city.activities) >= 12
    assert len(city.by_name) == len(city.activities)
    assert set(city.weather) == {None, *range(1, 13)}
    assert city.lodging["budget"] < city.lodging["standard"] < city.lodging["comfort"]
    assert tuple(city.lodging) == LODGINGS
    assert city.transport_per_day > 0
    assert city.meals_per_day > 0
    assert {activity.theme for activity in city.activities} == set(THEMES)


@every_city
def test_every_place_can_be_visited_within_its_hours(city: City) -> None:
    for activity in city.activities:
        assert isinstance(activity.price_usd_cents, int)
        assert activity.price_usd_cents >= 0
        assert 0 <= activity.opens < activity.closes <= 24 * 60
        assert 0 < activity.minutes <= min(activity.closes - activity.opens, 10 * 60), activity.name
        assert len(activity.closed_on) < 7


@every_city
def test_every_weekday_has_something_free(city: City) -> None:
    """Repair relies on it: a day never costs more than bed, board and transport."""
    for weekday in range(7):
        assert any(not place.price_usd_cents and weekday not in place.closed_on for place in city.activities)


def test_no_two_cities_share_a_name_or_an_alias() -> None:
    owner: dict[str, str] = {}
    for city in ALL:
        for spelling in {words.fold(name) for name in (city.name, *city.aliases)}:
            assert owner.setdefault(spelling, city.name) == city.name


def test_files_hold_nothing_else_than_the_format() -> None:
    for path in FOLDER.iterdir():
        raw = json.loads(path.read_text(encoding="utf-8"))
        assert sorted(raw) == [
            "activities", "aliases", "country", "lodging_per_night_usd_cents", "meals_per_day_usd_cents", "name",
            "rain_days_by_month", "temperature_c_by_month", "transport_per_day_usd_cents",
        ]  # fmt: skip


def test_importing_the_nodes_reads_no_file() -> None:
    code = "from runs.nodes import registry, catalogue; assert catalogue.cities.cache_info().currsize == 0"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_ranking_prefers_theme_then_fame_and_price() -> None:
    names = [activity.name for _, activity in ranked("Paris", ("art",))]
    assert names[:2] == ["Louvre Museum", "Musée d'Orsay"]
    scores = [score for score, _ in ranked("Paris", ())]
    assert scores == sorted(scores, reverse=True)


def test_unknown_names_fail_with_a_code() -> None:
    with pytest.raises(NodeFailure) as city:
        get_city("Atlantis")
    with pytest.raises(NodeFailure) as activity:
        get_activity(get_city("Paris"), "Big Ben")
    assert (city.value.code, activity.value.code) == ("unknown_city", "unknown_activity")
