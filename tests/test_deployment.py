"""docker-compose.yml and the Dockerfile, read as data: no container engine is needed to see what does not fit."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from django.core.management import get_commands

ROOT = Path(__file__).parent.parent
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
OURS = ("migrate", "web", "worker", "scheduler")
DOCUMENTED = set(re.findall(r"^([A-Z_]+)=", (ROOT / ".env.example").read_text(), re.MULTILINE))


def test_the_services_and_the_one_that_prepares_them_are_there() -> None:
    assert set(SERVICES) == {"web", "worker", "scheduler", "postgres", "redis", "migrate"}


@pytest.mark.parametrize("name", SERVICES)
def test_each_says_how_to_see_that_it_is_well(name: str) -> None:
    check = SERVICES[name]["healthcheck"]
    if name == "migrate":
        assert check == {"disable": True}, "It ends; its exit status says how."
    else:
        assert check["test"][0] in ("CMD", "CMD-SHELL")


@pytest.mark.parametrize("name", OURS)
def test_every_variable_is_documented(name: str) -> None:
    given = SERVICES[name]["environment"]
    asked = {found for value in given.values() for found in re.findall(r"\$\{(\w+)", str(value))}
    assert set(given) | asked <= DOCUMENTED
    assert given["SECRET_KEY"].startswith("${SECRET_KEY:?"), "There is no safe default for it."


@pytest.mark.parametrize("name", OURS)
def test_every_command_exists(name: str) -> None:
    program, script, command, *rest = SERVICES[name]["command"]
    if program == "celery":
        assert (script, command, rest[0]) == ("-A", "orchestrator", "worker")
    else:
        assert (program, script) == ("python", "manage.py")
        assert command in get_commands()


def test_the_parts_agree_on_the_engine() -> None:
    assert {SERVICES[name]["environment"]["ENGINE"] for name in OURS} == {"celery"}


def test_nothing_starts_before_its_database_is_migrated_and_well() -> None:
    for name in ("web", "worker", "scheduler"):
        needs = {need: how["condition"] for need, how in SERVICES[name]["depends_on"].items()}
        assert needs == {
            "migrate": "service_completed_successfully",
            "postgres": "service_healthy",
            "redis": "service_healthy",
        }
    assert set(COMPOSE["volumes"]) == {"postgres"}


def test_only_web_is_published_and_only_on_this_machine() -> None:
    published = {name: service["ports"] for name, service in SERVICES.items() if "ports" in service}
    assert published == {"web": ["127.0.0.1:${PORT:-8000}:8000"]}


def test_the_image_runs_as_nobody_in_particular() -> None:
    lines = (ROOT / "Dockerfile").read_text().splitlines()
    assert [line for line in lines if line.startswith("USER ")] == ["USER 10001"]
    assert [line for line in lines if line.startswith("FROM ")][-1] == "FROM python:3.11-slim"
    assert lines[-1] == 'CMD ["python", "manage.py", "serve", "--prepare"]'
    given = set(re.findall(r"\b([A-Z_]+)=", " ".join(line for line in lines if "HOST=" in line)))
    assert given <= DOCUMENTED | {"PATH"}


def test_secrets_and_data_stay_out_of_the_image() -> None:
    ignored = (ROOT / ".dockerignore").read_text().splitlines()
    assert {".*", "data", "**/tests"} <= set(ignored)
