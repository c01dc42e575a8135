"""`clytie openapi`: the REST API's description, from its own declarations."""

from __future__ import annotations

import json

from web.api import declare_routes
from web.api.openapi import describe_api


def print_openapi() -> None:
    """Print the OpenAPI document as JSON."""
    declare_routes()
    print(json.dumps(describe_api(), indent=2, ensure_ascii=False))
