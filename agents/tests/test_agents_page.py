"""docs/agents.md: its agent in curl runs as it is written, against a server that runs; its tables are the product's."""

import re
import shutil
from pathlib import Path

import pytest

from agents.states import RUNTIME_TRANSITIONS
from tests.contract.live import serving
from tests.contract.test_steel_thread import TOKEN

PAGE = (Path(__file__).parent.parent.parent / "docs/agents.md").read_text()


@pytest.mark.process
@pytest.mark.skipif(shutil.which("curl") is None or shutil.which("jq") is None, reason="needs curl and jq")
def test_the_agent_in_curl(tmp_path: Path) -> None:
    [script] = re.findall(r"```bash\n(.*?)```", PAGE, re.DOTALL)
    with serving(tmp_path) as live:
        printed = [live.shell(TOKEN + script.replace("http://localhost:8000", "$BASE")) for _ in range(2)]
    for said in printed:
        assert '"appended":2' in said
        assert "Slow disk." in said
        assert "Read 200 lines." not in said
        assert said.endswith('{\n  "status": "completed",\n  "input_tokens": 1200,\n  "cost_usd": 0.0042\n}\n')


def test_the_table_of_statuses() -> None:
    table = PAGE.partition("## Statuses")[2].partition("\n\n`PATCH")[0]
    told = {}
    for sources, targets in re.findall(r"^\| ([a-z, ]+) \| (.+) \|$", table, re.MULTILINE):
        for source in sources.split(", "):
            named = set(re.findall(r"[a-z]+", targets.replace("each other", sources))) - {source}
            told[source] = named & set(RUNTIME_TRANSITIONS)
    told.pop("from")
    assert told == {old: set(new) - {"lost"} for old, new in RUNTIME_TRANSITIONS.items()}
