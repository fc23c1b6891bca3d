"""A run's page in a real browser: nothing leaves it, nothing runs in it, it fits its reader."""

import pytest

from tests.reports import HOSTILE

pytestmark = pytest.mark.browser
WIDTHS = [390, 1280]
SCHEMES = ["light", "dark"]


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("width", WIDTHS)
def test_the_page_opens_without_a_message_or_a_request(open_page, hostile_page, width, scheme):
    opened = open_page(hostile_page, width, scheme)
    assert opened.said == []
    assert [url for url in opened.requested if not url.startswith("data:")] == []


def test_hostile_names_and_values_stay_text(open_page, hostile_page):
    page = open_page(hostile_page).page
    assert page.title().startswith("payments")
    assert page.locator("script, iframe, object, img").count() == 0
    assert page.locator("style").count() == 1
    assert page.locator("body").is_visible()
    shown = page.locator("main").inner_text()
    for name in HOSTILE[:4]:
        assert name in shown
    assert "{{ 7 * 7 }}" in shown


def test_a_character_that_turns_text_around_is_not_shown(open_page, hostile_page):
    shown = open_page(hostile_page).page.locator("body").inner_text()
    assert "right to left" in shown
    assert not set(shown) & set("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\x00\x07")


@pytest.mark.parametrize("width", WIDTHS)
def test_nothing_but_wide_tables_scrolls_sideways(open_page, hostile_page, width):
    page = open_page(hostile_page, width).page
    assert page.evaluate("document.documentElement.scrollWidth") <= width


@pytest.mark.parametrize("width", WIDTHS)
def test_texts_of_a_plot_do_not_overlap(open_page, hostile_page, width):
    overlapping = open_page(hostile_page, width).page.evaluate(
        """() => [...document.querySelectorAll("figure svg")].flatMap(svg => {
          const texts = [...svg.querySelectorAll("text")]
            .map(text => ({ said: text.textContent, box: text.getBoundingClientRect() }));
          return texts.flatMap((a, i) => texts.slice(i + 1)
            .filter(b => Math.min(a.box.right, b.box.right) - Math.max(a.box.left, b.box.left) > 2
              && Math.min(a.box.bottom, b.box.bottom) - Math.max(a.box.top, b.box.top) > 3)
            .map(b => `${a.said} | ${b.said}`));
        })"""
    )
    # A turned label's box is larger than its letters.
    assert overlapping == []


def test_texts_of_a_plot_are_large_enough_to_read_on_a_phone(open_page, hostile_page):
    smallest = open_page(hostile_page, 390).page.evaluate(
        """() => Math.min(...[...document.querySelectorAll("figure svg text")].map(text =>
          parseFloat(getComputedStyle(text).fontSize)
            * Math.hypot(text.getScreenCTM().a, text.getScreenCTM().b)))"""
    )
    assert smallest >= 7.5


@pytest.mark.parametrize("scheme", SCHEMES)
def test_text_stands_out_from_the_paper(open_page, hostile_page, scheme):
    ratios = open_page(hostile_page, 1280, scheme).page.evaluate(
        """() => {
          const light = rgb => rgb.match(/[\\d.]+/g).slice(0, 3).map(Number).map(part => {
            const share = part / 255;
            return share <= 0.03928 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
          }).reduce((sum, part, i) => sum + part * [0.2126, 0.7152, 0.0722][i], 0);
          const paper = light(getComputedStyle(document.body).backgroundColor);
          return ["h1", "p.lead", "figcaption", "nav a", ".flagged", "thead th", "svg text",
              ".bad", ".warn", ".good"]
            .map(name => [name, document.querySelector(name)])
            .map(([name, element]) => {
              const style = getComputedStyle(element);
              const ink = light(element.matches("svg text") ? style.fill : style.color);
              return [name, (Math.max(ink, paper) + 0.05) / (Math.min(ink, paper) + 0.05)];
            });
        }"""
    )
    assert {name: ratio for name, ratio in ratios if ratio < 4.5} == {}


def test_every_plot_has_a_text_alternative_with_numbers(open_page, hostile_page):
    page = open_page(hostile_page).page
    plots = page.locator("figure [role=img]")
    assert plots.count() == 8
    for plot in plots.all():
        label = plot.get_attribute("aria-label")
        assert any(character.isdigit() for character in label)
        assert plot.locator("svg[aria-hidden=true]").count() == 1


def test_the_page_prints_on_light_paper_whatever_the_screen(open_page, hostile_page):
    opened = open_page(hostile_page, 1280, "dark")
    printed = opened.page.pdf(format="A4")
    assert printed.startswith(b"%PDF")
    assert len(printed) > 50_000
    opened.page.emulate_media(media="print", color_scheme="dark")
    paper = opened.page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert paper == "rgb(255, 255, 255)"
    assert not opened.page.locator("nav").is_visible()
    assert opened.said == []
