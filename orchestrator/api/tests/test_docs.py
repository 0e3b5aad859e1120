import contextlib
import re

import pytest
from django.test import Client

pytestmark = pytest.mark.django_db  # a response that is closed looks after the connection


@pytest.mark.parametrize("path", ["/docs", "/redoc", "/docs/"])
def test_the_pages_are_local_and_have_no_inline_script(path: str) -> None:
    answer = Client().get(path)
    page = answer.content.decode()
    assert answer.status_code == 200
    assert "script-src" not in answer["Content-Security-Policy"]
    assert "default-src 'self'" in answer["Content-Security-Policy"]
    assert re.findall(r"<script(?![^>]*\bsrc=)", page) == []
    assert re.findall(r"<style|\sstyle=|\son\w+=|https?://", page) == []
    for asset in re.findall(r'(?:src|href)="([^"]+)"', page):
        with contextlib.closing(Client().get(asset)) as file:
            assert file.status_code == 200, asset


def test_only_redoc_may_write_styles_and_make_a_worker() -> None:
    assert "unsafe" not in Client().get("/docs")["Content-Security-Policy"]
    redoc = Client().get("/redoc")["Content-Security-Policy"]
    assert "style-src 'self' 'unsafe-inline'" in redoc
    assert "worker-src 'self' blob:" in redoc
