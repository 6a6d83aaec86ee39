"""Writes the error guide of the documentation: ``python -m connector.web > docs/errors.md``."""

import sys

from connector.web.error_registry import document

sys.stdout.write(document())
