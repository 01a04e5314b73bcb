"""For the site: roles of docstrings are no words of it."""

import re

_ROLE = re.compile(r":(?:func|class|meth|attr|mod|data):(?=<code>)")


def on_page_content(html: str, **_: object) -> str:
    """The page without ``:func:`` and the like before code."""
    return _ROLE.sub("", html)
