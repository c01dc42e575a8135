"""`clytie openapi`: the REST API's description, from its own declarations."""

from __future__ import annotations

import json


def print_openapi() -> None:
    """Print the OpenAPI document as JSON."""
    from web.api.openapi import describe_api

    print(json.dumps(describe_api(), indent=2, ensure_ascii=False))
