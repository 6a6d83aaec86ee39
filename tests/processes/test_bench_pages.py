"""What the page bench takes for loaded by a browser."""

from __future__ import annotations

import pytest

from connector.cli.bench.loads import Answer, loaded_by

ELSEWHERE = "https://cdn.example/x"


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("/log", f'<link rel="stylesheet" href="{ELSEWHERE}">'),
        ("/log?q=a.css", f'<script src="{ELSEWHERE}" defer></script>'),
        ("/log", f'<img srcset="{ELSEWHERE} 2x">'),
        ("/log", f'<p style="background: url({ELSEWHERE})">'),
        ("/a.css", f"@import '{ELSEWHERE}';"),
        ("/a.css", f'@import url("{ELSEWHERE}");'),
        ("/a.css", f"b {{ background: url( {ELSEWHERE} ) }}"),
        ("/a.js", f'fetch("{ELSEWHERE}")'),
    ],
)
def test_an_address_that_is_loaded_is_found_wherever_it_stands(path: str, text: str) -> None:
    assert list(loaded_by(Answer(path, 200, 0.0, 0, text))) == [ELSEWHERE]


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("/log", f'<a href="{ELSEWHERE}">Open in Twenty</a>'),
        ("/log", '<svg xmlns="http://www.w3.org/2000/svg"><use href="#icon"/></svg>'),
        (
            "/a.css",
            "b { background: url(\"data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg'/%3E\") }",
        ),
        ("/a.js", "// see https://developer.mozilla.org/"),
        ("/a.svg", '<svg xmlns="http://www.w3.org/2000/svg"/>'),
    ],
)
def test_what_waits_for_a_click_or_is_only_a_name_is_not_loaded(path: str, text: str) -> None:
    assert list(loaded_by(Answer(path, 200, 0.0, 0, text))) == []
