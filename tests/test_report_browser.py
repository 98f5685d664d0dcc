"""The HTML report in a real browser: nothing overflows, nothing is unreadable, no complaints."""

from __future__ import annotations

import base64
import os
import shutil

import pytest
import report_samples
from test_report_html import everything, replaced

from privacy_gate.domain import ReportSet
from privacy_gate.report.html import render, render_set
from privacy_gate.report.parse import report_from_dict

PHONE, TABLET, DESKTOP = 375, 768, 1200
FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
)  # fmt: skip
NAMES = [make.__name__ for make in report_samples.ALL]
samples = pytest.mark.parametrize("name", [*NAMES, "several", "endless"])


class Browser:
    """One headless Chromium that shows the pages of this module."""

    def __init__(self, driver, directory):
        self.driver, self.directory = driver, directory

    def show(self, name, width=DESKTOP, scheme="light", media="", opened=False):
        """Load a page; ``opened``: with every fold open."""
        self.command(
            "Emulation.setDeviceMetricsOverride",
            width=width, height=900, deviceScaleFactor=1, mobile=width == PHONE,
        )  # fmt: skip
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        self.command("Emulation.setEmulatedMedia", media=media, features=features)
        self.driver.get((self.directory / f"{name}.html").as_uri())
        if opened:
            self.run("for (const fold of document.querySelectorAll('details')) fold.open = true;")
        return self

    def run(self, script):
        return self.driver.execute_script(script)

    def command(self, name, **parameters):
        return self.driver.execute_cdp_cmd(name, parameters)


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    """A directory with the page of every sample, and one of several reports."""
    directory = tmp_path_factory.mktemp("pages")
    for make in report_samples.ALL:
        (directory / f"{make.__name__}.html").write_text(render(make()), encoding="utf-8")
    reports = ReportSet((report_samples.failing(), report_samples.broken()), ("absent",))
    (directory / "several.html").write_text(render_set(reports), encoding="utf-8")
    endless = report_from_dict(replaced(everything(), "W" * 400))
    (directory / "endless.html").write_text(render(endless), encoding="utf-8")
    return directory


@pytest.fixture(scope="module")
def browser(request, tmp_path_factory):
    program, steered_by = shutil.which("chromium"), shutil.which("chromedriver")
    if program is None or steered_by is None:
        reason = "chromium and chromedriver are not installed"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service

    pages = request.getfixturevalue("pages")
    options = webdriver.ChromeOptions()
    options.binary_location = program
    for flag in (*FLAGS, f"--user-data-dir={tmp_path_factory.mktemp('profile')}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = webdriver.Chrome(options=options, service=Service(steered_by))
    driver.set_page_load_timeout(60)
    yield Browser(driver, pages)
    driver.quit()


@samples
def test_the_console_stays_empty(browser, name):
    browser.driver.get_log("browser")
    browser.show(name, opened=True)
    assert browser.driver.get_log("browser") == []
    assert browser.run("return document.title.length") > 10


def test_the_policy_of_a_page_is_in_force(browser, pages):
    """What the test above relies on: a page that did run a script would complain."""
    text = (pages / "broken.html").read_text(encoding="utf-8")
    bad = text.replace("</body>", "<script>document.title = 'x'</script></body>")
    (pages / "bad.html").write_text(bad, encoding="utf-8")
    browser.show("bad")
    assert browser.run("return document.title") != "x"
    assert any("Content Security Policy" in e["message"] for e in browser.driver.get_log("browser"))


# ------------------------------------------------------------------------------------ it all fits

TOO_WIDE = """
const width = document.documentElement.clientWidth;
return [document.documentElement.scrollWidth, width, ...[...document.querySelectorAll('body *')]
  .filter(e => !e.closest('.scroll') && e.getBoundingClientRect().right > width + 1)
  .map(e => e.tagName + ' ' + e.textContent.slice(0, 30))];
"""


@samples
def test_nothing_is_wider_than_a_phone(browser, name):
    assert_fits(browser.show(name, PHONE))
    assert_fits(browser.show(name, PHONE, opened=True))


@pytest.mark.parametrize("name", ["failing", "compared", "several", "endless"])
@pytest.mark.parametrize("width", [TABLET, DESKTOP])
def test_nothing_is_wider_than_a_larger_screen(browser, name, width):
    assert_fits(browser.show(name, width, opened=True))


def assert_fits(browser):
    scroll_width, client_width, *wide = browser.run(TOO_WIDE)
    assert wide == []
    assert scroll_width <= client_width


LABELS = """
return [...document.querySelectorAll('svg.drawing')].map(drawing => {
  const frame = drawing.getBoundingClientRect();
  const texts = [...drawing.querySelectorAll('text')]
    .map(e => [e.getBoundingClientRect(), e.textContent]);
  const out = texts.filter(([box]) => box.left < frame.left - 1 || box.right > frame.right + 1
    || box.top < frame.top - 1 || box.bottom > frame.bottom + 1).map(([, words]) => words);
  const over = [];
  texts.forEach(([a, first], i) => texts.slice(i + 1).forEach(([b, second]) => {
    if (a.left < b.right - 1 && b.left < a.right - 1
        && a.top < b.bottom - 2 && b.top < a.bottom - 2)
      over.push(first + ' / ' + second);
  }));
  return [drawing.id, texts.length, out, over];
});
"""


@pytest.mark.parametrize("name", ["failing", "passing", "inconclusive"])
@pytest.mark.parametrize("width", [PHONE, DESKTOP])
def test_labels_of_pictures_are_neither_cut_off_nor_on_top_of_each_other(browser, name, width):
    found = browser.show(name, width, opened=True).run(LABELS)
    assert len(found) >= 37
    for identifier, count, outside, overlapping in found:
        assert count > 3, identifier
        assert (outside, overlapping) == ([], []), identifier


def test_pictures_are_drawn_at_the_size_of_a_phone(browser):
    scales = browser.show("failing", PHONE).run(
        "return [...document.querySelectorAll('svg.drawing')].map(e => "
        "e.getBoundingClientRect().width / e.viewBox.baseVal.width).filter(scale => scale > 0)"
    )
    assert len(scales) == 38
    assert min(scales) > 0.8  # a label of 11.5 is at least 9 pixels high


# --------------------------------------------------------------------------------- it can be read

CONTRASTS = """
const seen = new Map();
const parse = text => text.match(/[\\d.]+/g).map(Number);
for (const element of document.querySelectorAll('body *')) {
  const inside = element.closest('svg');
  if (inside ? element.tagName !== 'text' : ![...element.childNodes].some(
      node => node.nodeType === 3 && node.data.trim())) continue;
  if (!element.getClientRects().length || element.closest('.hidden')) continue;
  const style = getComputedStyle(element);
  let ground = element;
  while (ground && (parse(getComputedStyle(ground).backgroundColor)[3] ?? 1) === 0)
    ground = ground.parentElement;
  const back = getComputedStyle(ground ?? document.body).backgroundColor;
  const key = (inside ? style.fill : style.color) + '|' + back;
  if (!seen.has(key)) seen.set(key, element.className?.baseVal ?? element.className ?? '');
}
return [...seen].map(([key, name]) => [...key.split('|').map(parse), name]);
"""


def contrast(first, second):
    """WCAG 2 contrast ratio of two sRGB colours."""

    def luminance(colour):
        assert len(colour) == 3 or colour[3] == 1
        linear = [
            c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4
            for c in (channel / 255 for channel in colour[:3])
        ]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    lighter, darker = sorted((luminance(first), luminance(second)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def test_contrast_is_that_of_the_definition():
    assert contrast((0, 0, 0), (255, 255, 255)) == pytest.approx(21)
    assert contrast((118, 118, 118), (255, 255, 255)) == pytest.approx(4.54, abs=0.01)


@pytest.mark.parametrize("name", ["failing", "broken", "compared", "loosened", "several"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_text_has_enough_contrast(browser, name, scheme):
    found = browser.show(name, scheme=scheme, opened=True).run(CONTRASTS)
    assert len(found) >= 4
    for colour, ground, where in found:
        assert contrast(colour, ground) >= 4.5, (where, colour, ground)


def test_dark_mode_is_dark_and_light_mode_light(browser):
    script = "return getComputedStyle(document.body).backgroundColor.match(/\\d+/g).map(Number)"
    assert max(browser.show("passing", scheme="dark").run(script)) < 40
    assert min(browser.show("passing", scheme="light").run(script)) > 230


def test_a_check_linked_from_the_matrix_is_unfolded(browser):
    browser.show("passing")
    assert not browser.run("return document.querySelector('.fold').open")
    browser.run("document.querySelector('a.cell').click()")
    assert browser.run("return document.querySelector('.fold').open")
    assert browser.run("return document.querySelector('tr:target').getClientRects().length") == 1


# -------------------------------------------------------------------------------------- on paper


def test_paper_shows_what_is_folded_on_white(browser):
    browser.show("passing", scheme="dark", media="print")
    script = """
    const height = e => e.getBoundingClientRect().height;
    return [getComputedStyle(document.body).backgroundColor,
      Math.min(...[...document.querySelectorAll('.attack .panels, .fold table')].map(height)),
      Math.max(...[...document.querySelectorAll('.twin, nav')].map(height)),
      document.querySelectorAll('.attack:not([open])').length];
    """
    background, smallest, hidden, folded = browser.run(script)
    assert background == "rgb(255, 255, 255)"
    assert smallest > 100
    assert hidden == 0  # a twin says what its picture shows
    assert folded == 8


def test_a_page_can_be_printed_to_pdf(browser):
    browser.show("failing")
    answer = browser.command("Page.printToPDF", printBackground=True)
    content = base64.b64decode(answer["data"])
    assert content.startswith(b"%PDF-")
    assert content.count(b"/Type /Page\n") + content.count(b"/Type /Page ") >= 5
    assert len(content) > 50_000
