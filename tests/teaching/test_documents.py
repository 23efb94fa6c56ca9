"""What docs/ tells teachers: links that lead somewhere, commands that there are, one repository."""

import re
from pathlib import Path
from urllib.parse import parse_qs, urlparse

import yaml

from tutorial_lib import __main__ as cli
from tutorial_lib.course import online

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "teaching.md").read_text(encoding="utf-8")


def test_links_and_commands_are_there():
    for target in re.findall(r"\]\((?!https)([^)]+)\)", PAGE):
        assert (ROOT / "docs" / target).exists(), target
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for command in set(re.findall(r"^make (\w+) ", PAGE, re.MULTILINE)):
        assert f"\n{command}:  ##" in makefile
    for line in re.findall(r"course\.py ((?:workshop|grade|room) [^`\n]*)", PAGE):
        cli.build_parser().parse_args(line.split())


def test_the_hub_pulls_the_course_from_where_it_is_published():
    values = yaml.safe_load((ROOT / "docs" / "hub" / "values.yaml").read_text(encoding="utf-8"))
    hook = values["singleuser"]["lifecycleHooks"]["postStart"]["exec"]["command"][-1]
    assert f"gitpuller {online.repository()} main course" in hook
    (link,) = re.findall(r"^https://HUB\S+", PAGE, re.MULTILINE)
    asked = parse_qs(urlparse(link).query)
    assert asked["repo"] == [online.repository()] and asked["targetPath"] == ["course"]
    notebook = Path(asked["urlpath"][0]).name
    assert (ROOT / "chapters" / notebook).exists()
    assert values["singleuser"]["extraEnv"]["PYTHONPATH"].endswith("/course")
