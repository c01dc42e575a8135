"""What every test may ask for: a migrated database of its own, a pool, an empty Valkey."""

from __future__ import annotations

import itertools
import os
import shutil
from collections.abc import AsyncIterator, Generator, Iterator

import hypothesis
import pytest
import redis

from clytie.services.supervisor import ServiceUrls
from storage.migrations import upgrade
from storage.pool import Pool, open_pool
from tests.dovecot import Dovecot, run_dovecot
from tests.servers import Databases, start_servers

hypothesis.settings.register_profile("clytie", deadline=None, print_blob=True)
hypothesis.settings.load_profile("clytie")

# The settings of whoever runs the tests, a real database among them, are none of the tests' business.
for _name in [name for name in os.environ if name.startswith("CLYTIE_")]:
    if not _name.startswith("CLYTIE_TEST_") and _name not in ("CLYTIE_REQUIRE_ALL", "CLYTIE_CORPORA"):
        del os.environ[_name]

_redis_numbers = itertools.cycle(range(1, 16))


@pytest.fixture(scope="session")
def service_urls() -> Iterator[ServiceUrls]:
    """PostgreSQL and Valkey for the whole run; CLYTIE_TEST_DATABASE_URL and CLYTIE_TEST_REDIS_URL name others."""
    database_url = os.environ.get("CLYTIE_TEST_DATABASE_URL")
    redis_url = os.environ.get("CLYTIE_TEST_REDIS_URL")
    if database_url and redis_url:
        yield ServiceUrls(database_url, redis_url)
        return
    services, folder, urls = start_servers()
    yield ServiceUrls(database_url or urls.database_url, redis_url or urls.redis_url)
    services.stop()
    shutil.rmtree(folder, ignore_errors=True)  # whoever starts meanwhile may clear it away, too


@pytest.fixture(scope="session")
def databases(service_urls: ServiceUrls) -> Iterator[Databases]:
    """The maker of databases, with its template migrated."""
    maker = Databases(service_urls.database_url)
    upgrade(maker.create_template())
    yield maker
    maker.close()


@pytest.fixture(scope="session")
def dovecot() -> Iterator[Dovecot]:
    """An IMAP server for the whole run; each test uses users of its own."""
    with run_dovecot() as server:
        yield server


@pytest.fixture
def database_url(databases: Databases) -> Iterator[str]:
    """The address of a migrated, empty database that only this test uses."""
    url = databases.create()
    yield url
    databases.drop(url)


@pytest.fixture
async def pool(database_url: str) -> AsyncIterator[Pool]:
    """Connections to this test's database."""
    opened = await open_pool(database_url)
    yield opened
    opened.terminate()


@pytest.fixture
def redis_url(service_urls: ServiceUrls) -> str:
    """The address of an empty logical database of Valkey."""
    url = f"{service_urls.redis_url}?db={next(_redis_numbers)}"
    with redis.Redis.from_url(url) as client:
        client.flushdb()
    return url


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """An ordinary user cannot become another one: what concerns root alone is not theirs to test."""
    if os.geteuid() == 0:
        return
    beyond = [item for item in items if item.get_closest_marker("root")]
    config.hook.pytest_deselected(items=beyond)
    items[:] = [item for item in items if item not in beyond]


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """With CLYTIE_REQUIRE_ALL set, as in CI, a test that is skipped has failed."""
    report = yield
    if report.skipped and not hasattr(report, "wasxfail") and os.environ.get("CLYTIE_REQUIRE_ALL"):
        report.outcome = "failed"
        report.longrepr = f"CLYTIE_REQUIRE_ALL is set, but this test was skipped: {_reason(report.longrepr)}"
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """The same for files that skip themselves as a whole."""
    report = yield
    if report.skipped and os.environ.get("CLYTIE_REQUIRE_ALL"):
        report.outcome = "failed"
        report.longrepr = f"CLYTIE_REQUIRE_ALL is set, but this file was skipped: {_reason(report.longrepr)}"
    return report


def _reason(longrepr: object) -> str:
    return str(longrepr[2]) if isinstance(longrepr, tuple) else str(longrepr)
