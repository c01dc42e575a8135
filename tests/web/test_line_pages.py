"""Phone lines in the console: a text that people write, its mistakes at their place, and what a caller meets as a tree."""

from __future__ import annotations

import pytest

from inbox.lines.files import read_lines
from inbox.lines.reference import EXAMPLE
from storage.pool import Pool
from tests.web.house import House
from web.console.line_tree import Node, describe_line, write_hours
from web.console.lines import first_text
from web.i18n import use_language
from web.queries.lines import Colleague, LineStaff

_WEEK = dict.fromkeys(("mon", "tue", "wed", "thu"), (("09:00", "12:30"), ("14:00", "18:00")))
_STAFF = LineStaff(
    {"Sales": [Colleague("Rosa Martin", True), Colleague("Emil Faure", False)], "Support": []},
    team="Support",
    hours={**_WEEK, "fri": (("09:00", "12:00"),)},
    timezone="Europe/Paris",
)


def _tree(text: str, staff: LineStaff = _STAFF) -> list[str]:
    """The tree as indented lines."""
    use_language("en")

    def write(nodes: tuple[Node, ...], depth: int) -> list[str]:
        lines = []
        for node in nodes:
            said = "".join(f" “{words}”" for _language, words in node.quotes)
            notes = "".join(f" ({note})" for note in node.notes)
            lines += ["  " * depth + node.title + said + notes, *write(node.children, depth + 1)]
        return lines

    return write(describe_line(read_lines(text)[0].line, staff), 0)


def test_a_line_is_read_as_a_tree_of_what_a_caller_meets() -> None:
    assert _tree(EXAMPLE) == [
        "Callers we do not know choose a language (1: French, 2: English)",
        "Everybody hears “Bienvenue chez Tournesol.” “Welcome to Tournesol.”",
        "While Support works (Monday to Thursday 09:00–12:30, 14:00–18:00; Friday 09:00–12:00 (Europe/Paris))",
        "  Asks (menu “main”) “Pour les ventes, tapez 1. Pour l'assistance, tapez 2.” “For sales, press 1. For support, press 2.”",
        "    Presses 1 (or says: ventes, commercial, sales)",
        "      Rings the people of Sales (first whoever looks after the contact) (then one after the other: Rosa Martin)"
        " (not rung, because they have no phone or take no calls: Emil Faure) (each for 20 seconds)",
        "      Takes a message (comes to the queue Sales) (written down by the provider)",
        "    Presses 2 (or says: assistance, support, help)",
        "      Rings the people of Support (first whoever looks after the contact) (each for 20 seconds)",
        "        Nobody of them can be rung now.",
        "        Nobody takes it: waits with music, and all are rung again in rounds (for 5 minutes at most, then the next step)"
        " (hears which place they have) (1 leaves a message instead)",
        "      Takes a message (comes to the queue Support) (2 minutes at most) (written down by the provider)",
        "    Presses nothing: after the question came 2 more times",
        "      Rings the people of Support (first whoever looks after the contact) (each for 20 seconds)",
        "        Nobody of them can be rung now.",
        "      Takes a message (comes to the queue Support) (written down by the provider)",
        "Outside of it, and on public holidays",
        "  Says “Nos bureaux sont ouverts du lundi au vendredi, de 9 à 18 heures.”"
        " “Our offices are open Monday to Friday, from 9 to 6.”",
        "  Takes a message (comes to the queue Support) (written down by the provider)",
    ]


def test_a_menu_that_leads_back_to_itself_is_told_once() -> None:
    text = """
number: "+33199000001"
name: Round
queue: Support
hours: always
open: {menu: main}
menus:
  main:
    say: Press 1 to hear this again.
    keys:
      "1": {menu: main}
"""
    assert "      Goes to the menu “main” again" in _tree(text)


def test_what_is_not_written_is_told_as_well() -> None:
    text = 'number: "+33199000001"\nname: Short\nqueue: Support\nopen: {say: Hello}\n'
    tree = _tree(text)
    assert "  Says good-bye and hangs up" in tree
    assert tree[-2:] == [
        "  Says that we are closed",
        "  Takes a message (comes to the queue Support) (written down by the provider)",
    ]


def test_a_queue_without_a_team_is_open_at_any_time() -> None:
    text = 'number: "+33199000001"\nname: Short\nqueue: Support\nopen: [ring]\n'
    tree = _tree(text, LineStaff())
    assert tree[0] == "At any time (the queue has no team whose working time would count)"
    assert not any("Outside" in line for line in tree)


def test_hours_are_written_in_the_readers_language() -> None:
    use_language("fr")
    assert write_hours({"sat": [["10:00", "12:00"]]}, "Europe/Paris") == "samedi 10:00–12:00 (Europe/Paris)"
    use_language("en")


@pytest.mark.parametrize("queue", ["Support", 'A "quoted" \\ one', "yes"])
def test_the_first_text_can_be_used_as_it_is(queue: str) -> None:
    use_language("en")
    (written,) = read_lines(first_text("+33199000001", queue, "en"))
    assert written.line.queue == queue


async def test_a_manager_writes_a_line_looks_at_it_and_saves_it(house: House, pool: Pool) -> None:
    tomas = await house.signed_in("manager")
    await pool.execute("INSERT INTO queues (name) VALUES ('Support')")
    assert "No phone line yet" in (await tomas.get("/lines")).words
    form = await tomas.get("/lines/new")
    assert "queue: &#34;Support&#34;" in form.text
    text = 'number: "+33199000001"\r\nname: Main line # ours\r\nqueue: Support\r\nopen:\r\n  - say: Good morning\r\n  - ring\r\n'
    looked = await tomas.post("/lines/new", {"text": text, "check": "1"})
    assert "This can be used. It is not saved yet." in looked.words
    assert "Good morning" in looked.words
    assert await pool.fetchval("SELECT count(*) FROM phone_lines") == 0
    saved = await tomas.post("/lines/new", {"text": text})
    assert "The next caller hears it." in saved.words
    assert "# ours" in saved.text  # with its comments
    assert "Main line" in (await tomas.get("/lines")).words
    number = await pool.fetchval("SELECT id FROM phone_lines")
    off = await tomas.post(f"/lines/{number}/switch", {"active": "0"})
    assert "switched off" in off.words


async def test_mistakes_are_told_at_their_place_and_nothing_is_lost(house: House, pool: Pool) -> None:
    tomas = await house.signed_in("manager")
    await pool.execute("INSERT INTO queues (name) VALUES ('Support')")
    await tomas.get("/lines/new")
    text = (
        'number: "+33199000001"\nname: Main\nqueue: Support\nopen:\n  - menu: mian\n'
        'menus:\n  main:\n    say: Press 1\n    keys: {"1": {ring: {queue: Sale}}}\n'
    )
    answer = await tomas.post("/lines/new", {"text": text})
    assert answer.status == 422
    assert "2 places need another look. Nothing was saved." in answer.words
    assert "there is no menu mian. Did you mean main?" in answer.words
    assert 'data-goto-line="5"' in answer.text
    assert "menu: mian" in answer.text
    answer = await tomas.post("/lines/new", {"text": text.replace("mian", "main")})
    assert "there is no queue Sale. Set it up first." in answer.words
    answer = await tomas.post("/lines/new", {"text": "number: [\n"})
    assert "this is not YAML" in answer.words
    assert await pool.fetchval("SELECT count(*) FROM phone_lines") == 0


async def test_a_line_keeps_its_number(house: House, pool: Pool) -> None:
    tomas = await house.signed_in("manager")
    await pool.execute("INSERT INTO queues (name) VALUES ('Support')")
    await tomas.get("/lines/new")
    text = 'number: "+3319900000{}"\nname: {}\nqueue: Support\nopen: [voicemail]\n'
    await tomas.post("/lines/new", {"text": text.format(1, "One")})
    number = await pool.fetchval("SELECT id FROM phone_lines")
    answer = await tomas.post("/lines/new", {"text": text.format(1, "Other")})
    assert (answer.status, "another line has this number" in answer.words) == (422, True)
    answer = await tomas.post(f"/lines/{number}", {"text": text.format(2, "One")})
    assert (answer.status, "Make a new line for another number." in answer.words) == (422, True)
    assert await pool.fetchval("SELECT string_agg(number || name, ',') FROM phone_lines") == "+33199000001One"


async def test_hostile_text_stays_text(house: House, pool: Pool) -> None:
    tomas = await house.signed_in("manager")
    await pool.execute("INSERT INTO queues (name) VALUES ('Support')")
    await tomas.get("/lines/new")
    text = 'number: "+33199000001"\nname: "<script>x</script>"\nqueue: Support\nopen:\n  - say: "<b>bold</b></textarea>"\n'
    answer = await tomas.post("/lines/new", {"text": text})
    assert "<script>x" not in answer.text
    assert "<b>bold" not in answer.text
    for bomb in (
        "a: &a [*a, *a]\n",
        "a: &a [x]\nb: &b [*a,*a,*a]\nc: [*b,*b,*b]\n",
        "[" * 5000,
        "\0",
        "é" * 90_000,
    ):
        assert (await tomas.post("/lines/new", {"text": bomb})).status == 422


@pytest.mark.parametrize("role", ["rep", "agent", "marketer"])
async def test_only_those_who_edit_queues_see_lines(house: House, role: str) -> None:
    visitor = await house.signed_in(role)
    assert (await visitor.get("/lines")).status == 403
    assert "Phone lines" not in (await visitor.get("/calls")).words


async def test_programs_write_lines_too(house: House, pool: Pool) -> None:
    tomas = await house.signed_in("manager")
    await pool.execute("INSERT INTO queues (name) VALUES ('Support')")
    await tomas.get("/lines")
    text = 'number: "+33199000001"\nname: Main\nqueue: {}\nopen: [voicemail]\n'
    status, problem = await tomas.call("PUT", "/lines", {"text": text.format("Sale")})
    assert (status, "there is no queue Sale" in str(problem)) == (422, True)
    status, line = await tomas.call("PUT", "/lines", {"text": text.format("Support")})
    assert (status, line["number"], line["active"]) == (200, "+33199000001", True)
    status, line = await tomas.call("PUT", f"/lines/{line['id']}/active", {"active": False})
    assert (status, line["active"]) == (200, False)
    status, listed = await tomas.call("GET", "/lines")
    assert [one["name"] for one in listed["items"]] == ["Main"]
    assert (await tomas.call("GET", "/lines/999"))[0] == 404
    rosa = await house.signed_in("rep")
    await rosa.get("/tasks")
    assert (await rosa.call("GET", "/lines"))[0] == 403
