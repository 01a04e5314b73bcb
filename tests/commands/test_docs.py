"""docs/cli.md is what the commands say."""

from nn2hls.commands import COMMANDS, docs
from tests.kit.paths import ROOT


def test_the_page_of_the_command_line_is_up_to_date():
    page = ROOT / "docs" / "cli.md"
    assert page.read_text() == docs.text(), "run: python -m nn2hls.commands.docs > docs/cli.md"


def test_it_has_every_command_and_option():
    page = docs.text()
    for command in COMMANDS:
        assert f"\n## {command.name}\n" in page
    assert "`--reuse N`" in page
    assert "csim\\|rtl" in page
