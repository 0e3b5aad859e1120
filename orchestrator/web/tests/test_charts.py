"""Where the bars of a chart begin and end."""

from orchestrator.web.charts import HEIGHT, WIDTH, Values, nested, stacked


def test_stacked_bars_stand_on_each_other_and_fill_the_height() -> None:
    chart = stacked([Values("a", {"good": 3, "bad": 1}), Values("b", {"good": 2})], ("good", "bad"), ())
    good, bad = chart.columns[0].bars
    assert chart.top == 4
    assert (good.kind, good.y, good.height) == ("good", HEIGHT / 4, HEIGHT * 3 / 4)
    assert (bad.kind, bad.y, bad.height) == ("bad", 0, HEIGHT / 4)
    assert chart.columns[1].bars[0].height == HEIGHT / 2


def test_columns_share_the_width() -> None:
    chart = stacked([Values("", {"good": 1})] * 4, ("good",), ())
    assert [round(column.bars[0].x + column.bars[0].width / 2) for column in chart.columns] == [60, 180, 300, 420]
    assert chart.columns[3].bars[0].x + chart.columns[3].bars[0].width < WIDTH


def test_nested_bars_all_stand_on_the_ground() -> None:
    column = nested([Values("", {"p95": 8.0, "median": 2.0})], ("p95", "median"), ()).columns[0]
    assert [(bar.kind, bar.y + bar.height, bar.height) for bar in column.bars] == [
        ("p95", HEIGHT, HEIGHT),
        ("median", HEIGHT, HEIGHT / 4),
    ]


def test_what_is_there_is_seen_however_little_it_is() -> None:
    chart = stacked([Values("", {"good": 100_000}), Values("", {"bad": 1})], ("good", "bad"), ())
    bar = chart.columns[1].bars[0]
    assert bar.height >= 1
    assert bar.y + bar.height <= HEIGHT


def test_nothing_draws_nothing() -> None:
    assert stacked([Values("", {})], ("good",), ()).columns[0].bars == ()
    assert nested([], ("p95",), ()).columns == ()
