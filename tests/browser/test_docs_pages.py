"""
/docs and /redoc in a real browser: they show everything, ask nobody else, and a call works.
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
from aiohttp.test_utils import TestClient
from playwright.async_api import Page, async_playwright, expect

from api import openapi, passwords
from api.app import create_app
from api.routes import routes
from api.settings import Settings
from tests.browser.chromium import CHROMIUM, FLAGS

IDS = {openapi.operation_id(route) for route in routes(Settings())}
ACCOUNT = {"email": "ada@example.com", "password": "correct horse battery staple"}


@dataclass(frozen=True, slots=True)
class Tab:
    """A page of the browser, and what it asked for and complained of since it was opened."""

    page: Page
    client: TestClient[Any, Any]
    requests: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)

    @property
    def origin(self) -> str:
        return str(self.client.make_url("")).rstrip("/")

    async def open(self, path: str) -> None:
        await self.page.goto(self.origin + path)


@pytest.fixture
async def client(
    database: Any,
    aiohttp_client: Callable[..., Awaitable[TestClient[Any, Any]]],
    monkeypatch: pytest.MonkeyPatch,
) -> TestClient[Any, Any]:
    """The API with its pages, over a fresh database."""
    monkeypatch.setattr(passwords, "DEFAULT", passwords.Parameters(8, 1, 1))
    return await aiohttp_client(
        create_app(Settings(database_url=database.api_url, docs_enabled=True))
    )


@pytest.fixture
async def tab(client: TestClient[Any, Any]) -> AsyncIterator[Tab]:
    """An empty page in a new browser with an empty profile."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        page = await browser.new_page()
        page.set_default_timeout(20_000)
        tab = Tab(page, client)
        page.on("request", lambda request: tab.requests.append(request.url))
        page.on("console", lambda message: tab.complaints.append(message.text))
        page.on("pageerror", lambda error: tab.complaints.append(str(error)))
        yield tab
        await browser.close()


def elsewhere(tab: Tab) -> list[str]:
    """What was asked of anybody but the server."""
    own = (tab.origin + "/", f"blob:{tab.origin}/", "data:")
    return [url for url in tab.requests if not url.startswith(own)]


async def test_swagger_ui_shows_every_operation_and_asks_nobody_else(tab: Tab) -> None:
    await tab.open("/docs")
    await expect(tab.page.locator(".opblock")).to_have_count(len(IDS), timeout=20_000)
    shown = await tab.page.locator(".opblock").evaluate_all("all => all.map(each => each.id)")
    assert {name.rpartition("-")[2] for name in shown} == IDS
    await tab.page.locator("#operations-members-add_member .opblock-summary-control").click()
    example = tab.page.locator("#operations-members-add_member .opblock-section-request-body")
    await expect(example).to_contain_text('"role": "member"')
    await expect(tab.page.locator(".errors-wrapper")).to_have_count(0)
    assert elsewhere(tab) == []
    assert tab.complaints == []


async def test_redoc_shows_every_operation_and_asks_nobody_else(tab: Tab) -> None:
    await tab.open("/redoc")
    sections = tab.page.locator('[id*="/operation/"][data-section-id]')
    await expect(sections).to_have_count(len(IDS), timeout=20_000)
    shown = await sections.evaluate_all("all => all.map(each => each.id)")
    assert {name.rpartition("/")[2] for name in shown} == IDS
    await tab.page.get_by_placeholder("Search").fill("revoke")
    await expect(tab.page.get_by_role("menuitem", name="Revoke an API key").first).to_be_visible()
    assert elsewhere(tab) == []
    assert tab.complaints == []


async def test_authorised_call_from_the_page_works_and_nothing_is_kept(tab: Tab) -> None:
    async with tab.client.post("/auth/register", json=ACCOUNT) as response:
        assert response.status == 201
    async with tab.client.post("/auth/login", json=ACCOUNT) as response:
        token = (await response.json())["access_token"]
    page = tab.page
    await tab.open("/docs")
    await page.get_by_role("button", name="Authorize").first.click()
    await page.locator(".auth-container input").fill(token)
    await page.locator(".auth-btn-wrapper .authorize").click()
    await page.locator(".auth-btn-wrapper .btn-done").click()
    operation = page.locator("#operations-organisations-create_organisation")
    await operation.locator(".opblock-summary-control").click()
    await operation.get_by_role("button", name="Try it out").click()
    await operation.get_by_role("button", name="Execute").click()
    answer = operation.locator(".live-responses-table .response")
    await expect(answer.locator(".response-col_status")).to_contain_text("201")
    await expect(answer).to_contain_text('"name": "Acme"')
    assert elsewhere(tab) == []
    assert tab.complaints == []
    assert await page.evaluate("localStorage.length + sessionStorage.length") == 0
    assert await page.context.cookies() == []


async def test_policy_forbids_other_origins(tab: Tab) -> None:
    await tab.open("/docs")
    other = tab.origin.replace("127.0.0.1", "localhost")
    ask = "url => fetch(url, {mode: 'no-cors'}).then(() => 'answered', () => 'refused')"
    assert await tab.page.evaluate(ask, tab.origin + "/healthz") == "answered"
    assert await tab.page.evaluate(ask, other + "/healthz") == "refused"
    assert any("Content Security Policy" in text for text in tab.complaints)


async def test_patterns_are_regular_expressions_of_a_browser(tab: Tab) -> None:
    await tab.open("/docs")
    fits = """async ([email, bad]) => {
        const walk = (thing, found) => {
            if (thing && typeof thing === "object") {
                if (typeof thing.pattern === "string") found.push(thing.pattern);
                Object.values(thing).forEach(each => walk(each, found));
            }
            return found;
        };
        const document = await (await fetch("openapi.json")).json();
        const patterns = walk(document, []).map(each => new RegExp(each, "u"));
        const pattern = document.components.schemas.Login.properties.email.pattern;
        return [patterns.length, new RegExp(pattern, "u").test(email), RegExp(pattern).test(bad)];
    }"""
    count, good, bad = await tab.page.evaluate(fits, ["ada@école.example", "ada@-bad.example"])
    assert count > 10
    assert (good, bad) == (True, False)
