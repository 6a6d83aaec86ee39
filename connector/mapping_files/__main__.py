"""`python -m connector.mapping_files` brings the functions in docs/mapping.md up to date."""

from pathlib import Path

from connector.mapping_files.page import write_page

write_page(Path("docs/mapping.md"))
