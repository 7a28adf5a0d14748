"""The page of the access matrix in a real browser: on a phone, on paper, and cell by cell."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from playwright.async_api import Page, async_playwright, expect

from api.policies import matrix, matrix_page
from api.policies.databases import Database
from tests.browser.chromium import CHROMIUM, FLAGS

PHONE = {"width": 360, "height": 740}
PAPER = {"width": 794, "height": 1123}  # A4, in the pixels of CSS


@pytest.fixture
async def page(pgtap_database: Database, tmp_path: Path) -> AsyncIterator[Page]:
    """The page, opened from its file on a screen as wide as a phone's."""
    path = tmp_path / "matrix.html"
    path.write_text(matrix_page.html(matrix.prove(pgtap_database, matrix.declared())))
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        opened = await browser.new_page(viewport=PHONE)  # type: ignore[arg-type]
        opened.set_default_timeout(20_000)
        asked: list[str] = []
        opened.on("request", lambda request: asked.append(request.url))
        await opened.goto(path.as_uri())
        yield opened
        assert asked == [path.as_uri()], "the page needs nothing else"
        await browser.close()


async def test_cell_opens_what_was_tried_and_which_policies_were_asked(page: Page) -> None:
    card = page.locator("article[id='app.projects']")
    proof = card.locator("section[id='app.projects-insert-viewer']")
    await expect(proof).to_be_hidden()
    await card.locator("a[href='#app.projects-insert-viewer']").click()
    await expect(proof).to_be_visible()
    await expect(proof).to_contain_text("insert into")
    await expect(proof).to_contain_text('row-level security policy "tenant_isolation"')
    await expect(proof).to_contain_text("organisation_id = ( SELECT ctx.tenant_for")
    await proof.locator("a[aria-label=close]").click()
    await expect(proof).to_be_hidden()
    await card.locator("summary").click()
    await expect(card.locator("details pre")).to_contain_text("create policy insert_member")


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_page_fits_a_phone_and_paper(page: Page, scheme: str) -> None:
    await page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
    await page.locator("a[href='#app.idempotency_keys-select-saas_migrator']").click()
    wide = "document.documentElement.scrollWidth"
    assert await page.evaluate(wide) <= PHONE["width"]
    await page.emulate_media(media="print")
    await page.set_viewport_size(PAPER)  # type: ignore[arg-type]
    assert await page.evaluate(wide) <= PAPER["width"]
    style = "getComputedStyle(document.body)"
    assert await page.evaluate(f"{style}.color != {style}.backgroundColor")
