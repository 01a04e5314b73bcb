"""Pages of HTML as tests look at them: elements, text and data."""

import json
from html.parser import HTMLParser

VOID = {"meta", "input", "br", "wbr", "link", "img"}


class Page(HTMLParser):
    """What a page is made of.

    ``tags``: (tag, names of its attributes), in order; ``data``: (pointer, kind, value, text) of each number; ``scripts``:
    texts of scripts by their id or type; ``attributes``: (tag, name, value) of all; ``text``: what people read.
    """

    def __init__(self, text):
        super().__init__(convert_charrefs=True)
        self.tags, self.data, self.scripts, self.attributes, self.text = [], [], [], [], ""
        self._open, self._number = [], None
        self.feed(text)
        self.close()
        assert self._open == [], "elements that nothing closes"

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, tuple(name for name, _ in attrs)))
        self.attributes += [(tag, *pair) for pair in attrs]
        if tag not in VOID:
            self._open.append(tag)
        if tag == "data":
            own = dict(attrs)
            self._number = [own["data-at"], own["data-kind"], json.loads(own["value"]), ""]
        if tag == "script":
            self.scripts.append([dict(attrs).get("id") or dict(attrs).get("type", ""), ""])

    def handle_startendtag(self, tag, attrs):
        self.tags.append((tag, tuple(name for name, _ in attrs)))
        self.attributes += [(tag, *pair) for pair in attrs]

    def handle_endtag(self, tag):
        assert self._open.pop() == tag
        if tag == "data":
            self.data.append(tuple(self._number))
            self._number = None

    def handle_data(self, data):
        if self._open[-1:] == ["script"]:
            self.scripts[-1][1] += data
        elif self._open[-1:] != ["style"]:
            self.text += data
            if self._number:
                self._number[3] += data

    @property
    def document(self):
        """The JSON inside the page."""
        return json.loads(next(text for kind, text in self.scripts if kind == "document"))


def at(document, pointer):
    """What stands at a JSON pointer (RFC 6901)."""
    for step in pointer.split("/")[1:]:
        key = step.replace("~1", "/").replace("~0", "~")
        document = document[int(key)] if isinstance(document, list) else document[key]
    return document
