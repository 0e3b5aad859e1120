import pytest

from orchestrator import checks


def found() -> set[str]:
    return {str(message.id).removeprefix("orchestrator.") for message in [*checks.exposure(), *checks.secrets()]}


@pytest.fixture(autouse=True)
def _safe(settings) -> None:  # type: ignore[no-untyped-def]
    settings.DEBUG, settings.HOST, settings.STUB_AUTH, settings.ALLOWED_HOSTS = False, "0.0.0.0", False, ["example.org"]
    settings.SIMPLE_JWT = {"SIGNING_KEY": "x" * 32}
    settings.SESSION_COOKIE_SECURE, settings.METRICS_TOKEN = True, ""


def test_the_safe_ones_say_nothing() -> None:
    assert found() == set()


@pytest.mark.parametrize(
    ("changes", "warnings"),
    [
        ({"DEBUG": True}, {"W001"}),
        ({"DEBUG": True, "HOST": "127.0.0.1"}, set()),
        ({"DEBUG": True, "HOST": "localhost"}, set()),
        ({"DEBUG": True, "HOST": "[::1]"}, set()),
        ({"DEBUG": True, "HOST": "example.org"}, {"W001"}),
        ({"STUB_AUTH": True}, {"W002"}),
        ({"ALLOWED_HOSTS": ["a", "*"]}, {"W003"}),
        ({"ALLOWED_HOSTS": ["*"], "DEBUG": True, "HOST": "::1"}, set()),
        ({"SIMPLE_JWT": {"SIGNING_KEY": "x" * 31}}, {"W004"}),
        ({"SESSION_COOKIE_SECURE": False}, {"W005"}),
        ({"METRICS_TOKEN": "short"}, {"W006"}),
    ],
)
def test_each_unsafe_combination_is_named(settings, changes: dict[str, object], warnings: set[str]) -> None:  # type: ignore[no-untyped-def]
    for name, value in changes.items():
        setattr(settings, name, value)
    assert found() == warnings
