"""The tree of a mail in the form that mime4j's test messages expect it: `message_decoded.xml` and a file for each leaf."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

from channels.mail.reading.tree import Part, read_tree

type_of_leaf = ("text-body", "binary-body")
Node = tuple[Any, ...]


def our_tree(raw: bytes) -> Node:
    """The tree that we read, with leaves named by their place."""
    return _message(read_tree(raw))


def expected_tree(path: Path) -> Node:
    """The tree that mime4j expects."""
    return _from_xml(ET.fromstring(path.read_bytes()))


def our_leaves(raw: bytes) -> dict[str, bytes]:
    """The decoded content of every leaf, by its place ("1_2")."""
    return {leaf.number.replace(".", "_"): leaf.content(set()) for leaf in read_tree(raw).leaves()}


def expected_leaves(xml: Path) -> dict[str, bytes]:
    """The files beside the tree that its leaves name, by their place."""
    names = [
        node.get("name", "") for node in ET.fromstring(xml.read_bytes()).iter() if node.tag in type_of_leaf
    ]
    return {name.rsplit("_decoded_", 1)[1].split(".")[0]: (xml.parent / name).read_bytes() for name in names}


def _message(part: Part) -> Node:
    return ("message", _header(part), _body(part))


def _header(part: Part) -> Node:
    return tuple(_text(field.line) for field in part.block.fields)


def _body(part: Part) -> Node:
    if part.kind == "multipart":
        children = tuple(("body-part", _header(child), _body(child)) for child in part.children)
        return ("multipart", _told(part.preamble), children, _told(part.epilogue))
    if part.kind == "mail":
        return _message(part.children[0])
    kind = "text-body" if part.media_type.startswith("text/") else "binary-body"
    return (kind, part.number.replace(".", "_"))


def _told(content: bytes | None) -> str | None:
    return None if content is None else _text(content)


def _text(data: bytes) -> str:
    return data.decode("latin-1").replace("\r\n", "\n")


def _from_xml(node: ET.Element) -> Node:
    if node.tag in type_of_leaf:
        return (node.tag, node.get("name", "").rsplit("_decoded_", 1)[1].split(".")[0])
    if node.tag == "multipart":
        children = tuple(_from_xml(child) for child in node if child.tag == "body-part")
        return ("multipart", _content(node.find("preamble")), children, _content(node.find("epilogue")))
    header = node.find("header")
    fields = tuple((child.text or "").removeprefix("\n") for child in (header if header is not None else ()))
    body = next(child for child in node if child.tag != "header")
    return (node.tag, fields, _from_xml(body))


def _content(node: ET.Element | None) -> str | None:
    return None if node is None else (node.text or "").removeprefix("\n")
