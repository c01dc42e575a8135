"""Every page opens for those who may see it, in both languages, and for nobody else."""

from __future__ import annotations

import io
import re

import pytest

from storage.pool import Pool
from tests.web.correspondence import Correspondence, build_correspondence
from tests.web.house import House, Visitor
from tests.web.telephony import Telephony, build_telephony
from tests.web.world import World, build_world
from web.access.permissions import OPEN_IN_DEMOS, Role, may
from web.console.pages import PAGES
from web.headers import POLICY

#: need a test carrier; tried with one in test_phone.py
_BESIDE = ("/phone/{number}", "/phone/{number}/files/{sid}")


@pytest.fixture
async def world(demo: House, pool: Pool) -> World:
    """An organisation with something on every page."""
    return await build_world(pool)


@pytest.fixture
async def post(demo: House, pool: Pool, world: World) -> Correspondence:
    """Its conversations."""
    return await build_correspondence(pool, demo.context.blobs, world.users, world.contacts)


@pytest.fixture
async def phones(demo: House, pool: Pool, world: World, post: Correspondence) -> Telephony:
    """Its calls."""
    queue = post.queues["support"]
    return await build_telephony(pool, demo.context.blobs, world.users, world.contacts, queue)


def addresses(world: World, post: Correspondence, phones: Telephony) -> list[str]:
    """Every page that is read, with ids that exist."""
    ids = {
        "/tasks/{id}": world.tasks[0],
        "/campaigns/{id}": world.campaign,
        "/campaigns/{id}/edit": world.draft,
        "/campaigns/{id}/preview": world.draft,
        "/imports/{id}": world.job,
        "/imports/{id}/rejected.csv": world.job,
        "/mailbox/{id}": world.mail,
        "/mailbox/{id}/body": world.mail,
        "/rules/{id}": world.rule,
        "/people/{id}": world.users["rep"],
        "/people/{id}/work": world.users["rep"],
        "/people/teams/{id}": world.team,
        "/cases/{id}": world.case,
        "/calls/{id}": phones.calls["voicemail"],
        "/calls/{id}/recordings/{recording}": phones.calls["voicemail"],
        "/lines/{id}": phones.line,
        "/conversations/{id}": post.conversations["order"],
        "/queues/{id}": post.queues["support"],
        "/unreadable/{id}": post.raw,
        "/unreadable/{id}/original": post.raw,
    }
    of_message = {
        "{message}": str(post.messages["thanks"]),
        "{no}": "1",
        "{name}": "gate.png",
        "{recording}": str(phones.recording),
    }

    def fill(path: str) -> str:
        number = post.conversations["order"] if "{message}" in path else ids.get(path, world.contacts[0])
        for place, value in {"{id}": str(number), **of_message}.items():
            path = path.replace(place, value)
        return path

    return [
        fill(declared.path)
        for declared in PAGES
        if declared.method == "GET" and declared.permission is not None and declared.path not in _BESIDE
    ]


async def enter(demo: House, role: str, language: str = "en") -> Visitor:
    """Sign in as the world's person of a role."""
    visitor = demo.visitor(language)
    assert (await visitor.sign_in(f"{role}@helianthe.example")).status == 200
    return visitor


@pytest.mark.parametrize("language", ["en", "fr"])
async def test_every_page_opens_for_an_administrator(
    demo: House, world: World, post: Correspondence, phones: Telephony, language: str
) -> None:
    await demo.pool.execute("UPDATE mail_facts SET raw_id = $1", post.raw)  # so that there is an original
    visitor = await enter(demo, "administrator", language)
    for path in addresses(world, post, phones):
        answer = await visitor.get(path)
        assert answer.status == 200, (path, answer.words[:300])
        if "text/html" in answer.headers["Content-Type"] and not re.search(r"/(body|preview)$", path):
            assert f'<html lang="{language}">' in answer.text
            assert answer.headers["Content-Security-Policy"] == POLICY
            assert not re.search(r"<[^>]*\sstyle=", answer.text), path
            assert not re.search(r"<[^>]*\son[a-z]+=", answer.text), path


@pytest.mark.parametrize("role", list(Role))
async def test_a_page_opens_only_for_roles_that_have_its_permission(
    demo: House, world: World, role: Role
) -> None:
    visitor = await enter(demo, role.value)
    for declared in PAGES:
        if declared.method == "GET" and declared.permission is not None and "{" not in declared.path:
            answer = await visitor.get(declared.path)
            allowed = may(role, declared.permission) or declared.permission in OPEN_IN_DEMOS
            assert answer.status == (200 if allowed else 403), declared.path


async def test_whoever_is_not_signed_in_is_led_to_the_door(
    demo: House, world: World, post: Correspondence, phones: Telephony
) -> None:
    for path in addresses(world, post, phones):
        answer = await demo.visitor().get(path, allow_redirects=False)
        assert answer.status == 303, path
        door = "/personas" if path == "/" else "/sign-in"  # a demo begins with the choice of a persona
        assert answer.headers["Location"].startswith(door)


async def test_a_form_without_its_secret_does_nothing(demo: House, pool: Pool, world: World) -> None:
    visitor = await enter(demo, "administrator")
    for declared in PAGES:
        if declared.method == "POST" and not declared.streamed:
            path = re.sub(r"\{\w+\}", "1", declared.path.replace("{move}", "accept"))
            answer = await visitor.post(path, {"csrf": "forged"})
            assert answer.status == 403, declared.path
    upload = await visitor.post("/imports", {"csrf": "forged", "file": io.BytesIO(b"email")})
    assert upload.status == 403
    assert await pool.fetchval("SELECT count(*) FROM tasks WHERE version > 1") == 0


async def test_a_form_of_another_site_does_nothing(demo: House, world: World) -> None:
    visitor = await enter(demo, "rep")
    answer = await visitor.post(
        f"/tasks/{world.tasks[0]}/accept", {"version": "1"}, headers={"Sec-Fetch-Site": "cross-site"}
    )
    assert answer.status == 403


async def test_an_unknown_address_says_so_kindly(demo: House, world: World) -> None:
    visitor = await enter(demo, "rep")
    answer = await visitor.get("/tasks/999999")
    assert answer.status == 404
    assert "There is nothing here" in answer.words
    assert (await visitor.get("/no/such/page")).status == 404


async def test_a_person_s_own_language_is_used_wherever_they_sign_in(house: House, pool: Pool) -> None:
    visitor = await house.signed_in("rep", language="fr")
    assert '<html lang="fr">' in (await visitor.get("/", headers={"Accept-Language": "en"})).text


async def test_whoever_plays_a_persona_keeps_their_own_language(
    demo: House, pool: Pool, world: World
) -> None:
    await pool.execute("UPDATE users SET language = 'fr'")
    visitor = await enter(demo, "rep", "en")
    assert '<html lang="en">' in (await visitor.get("/")).text
