"""The application: settings, command line, bootstrap and embedded services. The only room that knows every other."""

from __future__ import annotations

__version__ = "0.1.0"
