"""New words of HTML replies, in the markup that programs write around quotes."""

from __future__ import annotations

import re
import time
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels.mail.quotes.htmltree import VOID
from channels.mail.replies import new_html

QUOTE = "<p>Would Tuesday suit you?</p><p>Ann</p>"
HEADERS = (
    "<b>From:</b> Ann Lee &lt;ann@example.com&gt;<br><b>Sent:</b> Friday, May 3, 2024 10:12 AM<br>"
    "<b>To:</b> Bob<br><b>Subject:</b> Van<br>"
)
#: (program, what stands behind the answer)
QUOTES = [
    ("Gmail", f'<br><div class="gmail_quote"><div dir="ltr" class="gmail_attr">On Fri, May 3, 2024 at 10:12 AM Ann Lee &lt;<a href="mailto:a@example.com">a@example.com</a>&gt; wrote:<br></div><blockquote class="gmail_quote" style="margin:0">{QUOTE}</blockquote></div>'),
    ("Gmail in an unknown language", f'<div class="gmail_quote gmail_quote_container"><div class="gmail_attr">Zzz 3 qqq 2024 Ann Lee xyz</div><blockquote class="gmail_quote">{QUOTE}</blockquote></div>'),
    ("old Gmail", f'<div class="gmail_extra"><br><div class="gmail_quote">Le 3 mai 2024 à 10:12, Ann Lee a écrit :<br><blockquote class="gmail_quote">{QUOTE}</blockquote></div><br></div>'),
    ("Apple Mail", f'<div><br><blockquote type="cite"><div>On 3 May 2024, at 10:12, Ann Lee wrote:</div><br><div>{QUOTE}</div></blockquote></div><br>'),
    ("Apple Mail on phones", f'<div dir="ltr"></div><div dir="ltr"><br><blockquote type="cite">Am 03.05.2024 um 10:12 schrieb Ann Lee:<br><br></blockquote></div><blockquote type="cite"><div dir="ltr">{QUOTE}</div></blockquote>'),
    ("Thunderbird", f'<br><div class="moz-cite-prefix">Op 3-5-2024 om 10:12 schreef Ann Lee:<br></div><blockquote type="cite" cite="mid:x@example.com">{QUOTE}</blockquote>'),
    ("Outlook on the web", f'<div id="appendonsend"></div><hr style="display:inline-block;width:98%"><div id="divRplyFwdMsg" dir="ltr"><font>{HEADERS}</font><div>&nbsp;</div></div><div>{QUOTE}</div>'),
    ("Outlook on the web in an unknown language", f'<div id="appendonsend"></div><hr><div id="divRplyFwdMsg"><b>Zzz:</b> Ann Lee<br><b>Qqq:</b> 2024<br></div><div>{QUOTE}</div>'),
    ("Outlook", f'<div><div style="border:none;border-top:solid #E1E1E1 1.0pt;padding:3.0pt 0in 0in 0in"><p class=MsoNormal>{HEADERS}</p></div></div><p class=MsoNormal><o:p>&nbsp;</o:p></p>{QUOTE}'),
    ("Outlook in an unknown language", f'<div style="border:none;border-top:solid #B5C4DF 1.0pt"><p class=MsoNormal><b>Zzz:</b> Ann Lee<br><b>Qqq:</b> 2024<br><b>Www:</b> x</p></div>{QUOTE}'),
    ("Outlook without a line", f"<p class=MsoNormal><o:p>&nbsp;</o:p></p><p class=MsoNormal>{HEADERS}</p>{QUOTE}"),
    ("Outlook 2003", f'<div class=MsoNormal align=center><hr size=2 width="100%"></div><p class=MsoNormal>{HEADERS}</p>{QUOTE}'),
    ("Outlook for Mac", f'<span id="OLK_SRC_BODY_SECTION"><div>{HEADERS}</div><div>{QUOTE}</div></span>'),
    ("Outlook on phones", f'<div id="mail-editor-reference-message-container"><hr><div>{HEADERS}</div>{QUOTE}</div>'),
    ("Outlook in French", f"<div><hr tabindex=-1><div><b>De&nbsp;:</b> Ann Lee<br><b>Envoyé&nbsp;:</b> vendredi 3 mai 2024 10:12<br><b>À&nbsp;:</b> Bob<br><b>Objet&nbsp;:</b> Devis</div></div>{QUOTE}"),
    ("Outlook with a table", f"<hr><table><tr><td><b>Von:</b></td><td>Ann Lee</td></tr><tr><td>Gesendet:</td><td>Freitag, 3. Mai 2024 10:12</td></tr><tr><td>An:</td><td>Bob</td></tr><tr><td>Betreff:</td><td>x</td></tr></table>{QUOTE}"),
    ("Hotmail", f'<div><hr id="stopSpelling">Date: Fri, 3 May 2024 10:12:33 +0200<br>From: ann@example.com<br>Subject: Van<br>To: bob@example.com<br><br>{QUOTE}</div>'),
    ("Yahoo", f'<div id="ydp1yahoo_quoted_123" class="ydp1yahoo_quoted yahoo_quoted"><div>On Friday, May 3, 2024 at 10:12:33 AM GMT+2, Ann Lee wrote:</div><div>{QUOTE}</div></div>'),
    ("Zoho", f'<div class="zmail_extra"><div>---- On Fri, 03 May 2024 10:12:33 +0200 <b>Ann Lee</b> wrote ----</div><blockquote>{QUOTE}</blockquote></div>'),
    ("Proton", f'<div class="protonmail_quote">Le vendredi 3 mai 2024 à 10:12, Ann Lee a écrit :<br><br><blockquote class="protonmail_quote" type="cite">{QUOTE}</blockquote></div>'),
    ("Tuta", f"<div>3. Mai 2024, 10:12 von ann@example.com:<br></div><blockquote class=\"tutanota_quote\">{QUOTE}</blockquote>"),
    ("Roundcube", f'<p id="reply-intro">On 2024-05-03 10:12, Ann Lee wrote:</p><blockquote type="cite">{QUOTE}</blockquote>'),
    ("GMX", f'<div name="quote" style="border-left:2px solid"><div><b>Gesendet:</b> Freitag, 03. Mai 2024 um 10:12 Uhr<br><b>Von:</b> Ann Lee<br><b>An:</b> bob@example.com<br><b>Betreff:</b> x</div>{QUOTE}</div>'),
    ("Samsung", f'<div>-------- Ursprüngliche Nachricht --------</div><div>Von: Ann Lee</div><div>Datum: 03.05.24 10:12</div><div>An: bob@example.com</div><div>Betreff: x</div>{QUOTE}'),
    ("QQ", f'<div><br></div><div style="font-size:12px">------------------&nbsp;原始邮件&nbsp;------------------</div><div><b>发件人:</b> Ann Lee</div>{QUOTE}'),
    ("Zimbra", f'<hr id="zwchr"><div><b>Da: </b>"Ann Lee"<br><b>A: </b>"bob"<br><b>Inviato: </b>Venerdì, 3 maggio 2024 10:12:33<br><b>Oggetto: </b>Preventivo<br></div>{QUOTE}'),
    ("anyone, in a blockquote", f"<blockquote>{QUOTE}</blockquote>"),
    ("a phone", f'<div>Envoyé de mon iPhone</div><div><br>Le 3 mai 2024 à 10:12, Ann Lee a écrit :<br><blockquote type="cite">{QUOTE}</blockquote></div>'),
]  # fmt: skip


class Balance(HTMLParser):
    """Fails when an element is not closed, or closed out of order."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: object) -> None:
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open
        assert self.open.pop() == tag


def text_of(html: str) -> str:
    return " ".join(re.sub(r"<[^>]*>", " ", html).replace("&nbsp;", " ").replace("&#160;", " ").split())


@pytest.mark.parametrize(("program", "quote"), QUOTES, ids=[program for program, _ in QUOTES])
def test_only_the_answer_is_left(program: str, quote: str) -> None:
    found = new_html(
        f'<html><body><div dir="ltr">Yes, <b>Tuesday</b>.<div>Bob</div></div>{quote}</body></html>'
    )
    assert text_of(found) == "Yes, Tuesday . Bob"


@pytest.mark.parametrize(("program", "quote"), QUOTES, ids=[program for program, _ in QUOTES])
def test_what_is_left_is_well_formed(program: str, quote: str) -> None:
    found = new_html(f"<div>Yes<p>Bob<ul><li>one<li>two</ul>{quote}")
    balance = Balance()
    balance.feed(found)
    balance.close()
    assert balance.open == []
    assert "<li>two</li>" in found


def test_answers_between_blockquotes_stay() -> None:
    found = new_html(
        '<div class="gmail_quote"><div class="gmail_attr">On Fri, May 3, 2024 at 10:12 AM Ann wrote:<br></div>'
        '<blockquote class="gmail_quote">Tuesday?</blockquote><div>Yes.</div><blockquote class="gmail_quote">How many?'
        "</blockquote><div>Twelve.</div></div>"
    )
    assert text_of(found) == "Yes. Twelve."
    found = new_html(
        '<div class="moz-cite-prefix">Le 03/05/2024 à 10:12, Anne a écrit :<br></div><blockquote type="cite">Mardi ?</blockquote>'
        '<p>Oui.</p><blockquote type="cite">Combien ?</blockquote><p>Douze.</p>'
    )
    assert text_of(found) == "Oui. Douze."


def test_a_passage_that_the_writer_indented_stays() -> None:
    mail = '<div>The law says:</div><blockquote style="margin:0 0 0 40px">Everybody may</blockquote><div>So I may.</div>'
    end = "<div>On 3 May 2024, at 10:12, Ann wrote:</div><blockquote>May you?</blockquote>"
    assert text_of(new_html(mail + end)) == "The law says: Everybody may So I may."


def test_a_forwarded_mail_stays_as_it_came() -> None:
    mail = '<div>FYI</div><div class="gmail_quote">---------- Forwarded message ---------<br>From: Ann<br>Date: Fri<br>Subject: x<br><br>Hi</div>'
    assert new_html(mail) == mail


def test_a_mail_without_quotes_stays_as_it_came() -> None:
    mail = "<P CLASS=x>Yes<br/>Bob & Ann"
    assert new_html(mail) == mail


def test_a_signature_behind_its_delimiter_goes() -> None:
    assert text_of(new_html("<div>Yes.</div><div>-- <br>Bob Ray<br>Ray Ltd</div>")) == "Yes."


def test_pictures_of_the_quote_go_and_those_of_the_answer_stay() -> None:
    found = new_html(
        '<p>See <img src="cid:1"></p><p>Ann &lt;a@example.com&gt; wrote:</p><blockquote><img src="cid:2">x</blockquote>'
    )
    assert "cid:1" in found
    assert "cid:2" not in found


PIECES = st.sampled_from(
    ["<div>", "</div>", "<p>", "<blockquote>", "</blockquote>", "<br>", "<hr>", "<table><tr><td>", "</table>", "<b>", "</b>", "<!--", "-->", "<",
     ">", "&", "&#9999999999999;", "&nbsp;", '<a href="', "'", '"', "=", "<style>", "</style>", "<script>", "x", "On 3 May 2024, Ann wrote:",
     "From: a@b.c<br>Sent: 10:12<br>", "Sent from my iPhone", '<div class="gmail_quote">', '<div id="appendonsend">', "<head>", "<body x>", "\x00"]
)  # fmt: skip


@given(st.one_of(st.text(max_size=200), st.lists(PIECES, max_size=25).map("".join)))
def test_any_text_is_read_without_an_error(html: str) -> None:
    found = new_html(html)
    assert found == html or found.startswith("<html")


@given(st.lists(PIECES, max_size=25).map("".join))
def test_new_words_of_new_words_are_no_more(html: str) -> None:
    once = new_html(html)
    assert (
        len(text_of(new_html(once)))
        <= len(text_of(once))
        <= len(text_of(html)) + 10 * html.count("<") + html.count("\xa0")
    )


@pytest.mark.parametrize(
    "seed",
    [
        "<div>", "</div>", "<div></p>", "<", "&", "&#9", "<!--", "<![CDATA[", "<a ", '<a "', "<a ='", '<a ="><b ', "<blockquote>x", "x<br>", "<hr>",
        "<b><p>", "<table><tr><td>", "<style>", "</style", "<div class=gmail_quote>x", '<div class="gmail_quote"><blockquote>', "<li>",
        '<div style="border-top:solid #B5C4DF">a:', "<div class=moz-cite-prefix>", "> \n", "On 1 wrote:<br>", "<p></div>", "<a b=c d=e ",
    ],
)  # fmt: skip
def test_a_megabyte_of_anything_takes_less_than_a_second(seed: str) -> None:
    mail = (seed * (1_000_000 // len(seed) + 1))[:1_000_000]
    began = time.process_time()
    new_html(mail)
    assert time.process_time() - began < 1


def test_a_mail_that_begins_with_a_header_block_was_sent_on_purpose() -> None:
    mail = f'<div id="divRplyFwdMsg">{HEADERS}</div><div>{QUOTE}</div>'
    assert new_html(mail) == mail


def test_typed_lines_of_html_are_read_line_by_line() -> None:
    html = (
        "<pre>Agreed.\n\nOn 3 May 2024 at 10:07, Bob &lt;bob@example.org&gt; wrote:\n&gt; Shall we?\n</pre>"
    )
    assert new_html(html) == "<html><head></head><body><pre>Agreed.\n\n</pre></body></html>"


def test_a_line_break_does_not_end_a_paragraph() -> None:
    html = "<p>one<br>two</p><blockquote type=cite>quoted</blockquote>"
    assert "<p>one<br>two</p>" in new_html(html)


def test_a_picture_alone_above_a_quote_is_an_answer() -> None:
    html = '<div><img src="cid:1"></div><blockquote type="cite">quoted</blockquote>'
    assert '<img src="cid:1">' in new_html(html)


def test_what_an_editor_indents_is_the_writers_own() -> None:
    indented = '<blockquote style="margin:0 0 0 40px;border:none;padding:0px">mine</blockquote>'
    html = f"<div>so:</div>{indented}<div>more</div>"
    assert new_html(html) == html


def test_an_answer_below_typed_quote_marks_stays() -> None:
    html = (
        "On 3 May 2024 at 10:07, Bob &lt;bob@example.org&gt; wrote:<br>&gt; Shall we?<br>&gt; Bob<br><br>Yes."
    )
    assert re.sub("<[^>]*>", "", new_html(html)) == "Yes."


def test_drawn_rules_between_paragraphs_end_nothing() -> None:
    html = "<p>One</p><hr><p>Two words</p><hr><p>Three</p>"
    assert new_html(html) == html
