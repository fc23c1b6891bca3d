"""A run's page from values: what it says, what it leaves out and why, how large it gets."""

import re
from dataclasses import replace
from datetime import date

import numpy as np
import pytest

from adlib.report import Absent, render
from tests.reports import (
    HOSTILE,
    date_figures,
    document,
    evaluation,
    flagged_figures,
    report,
    run_figures,
    sample_figures,
)

MOST_BYTES = 2_000_000


@pytest.fixture(scope="module")
def page():
    return render(report())


def text_of(page):
    body = page[page.index("</head>") :]
    return " ".join(re.sub(r"<[^>]*>", " ", body).split())


def test_the_figures_of_the_run_are_on_the_page(page):
    shown = text_of(page)
    assert "52,000 rows of 10,000,000 are flagged, 0.520%" in shown
    assert "10,000,120" in shown
    assert "0.500% asked for" in shown
    assert "8 critical, 24 high" in shown


def test_the_page_says_what_is_exact_and_what_is_a_sample(page):
    shown = text_of(page)
    assert "exact, from runs/" in shown
    assert "a sample of 2,000 of 10,000,000 rows" in shown


def test_a_sample_of_all_rows_is_called_all_rows():
    run = run_figures(rows=500, flagged=3)
    page = render(report(run=run, sample=sample_figures(500, 500)))
    assert "all 500 rows" in text_of(page)


def test_the_page_forbids_everything_but_its_own_style_and_images(page):
    policy = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
    assert f'content="{policy}"' in page
    assert "<script" not in page
    assert not re.search(r'(?:src|href)="(?!#|data:)[^"]*"', page)
    assert not re.search(r'style="[^"]*url\((?!#)', page)


def test_hostile_names_are_escaped_wherever_they_stand(page):
    for name in HOSTILE[:2]:
        assert name not in page
    assert "&lt;script&gt;" in page
    assert "\x00" not in page
    page.encode("utf-8")


def test_the_page_of_ten_million_rows_and_three_years_of_dates_is_under_two_megabytes():
    run = run_figures(dates=1_100, flagged=500_000)
    values = report(
        run=run,
        earlier=tuple(replace(run, run_id=f"run{place}") for place in range(1_000)),
        flagged=flagged_figures(500_000, columns=2_000),
        sample=sample_figures(20_000, columns=2_000),
        model=document(curve=200),
        evaluation=evaluation(1_100),
    )
    assert len(render(values).encode("utf-8")) < MOST_BYTES


def test_twice_the_dates_and_columns_do_not_make_a_larger_page_by_much():
    sizes = [
        len(
            render(
                report(
                    run=run_figures(dates=dates),
                    flagged=flagged_figures(columns=columns, names=("column",)),
                    sample=sample_figures(columns=columns, names=("column",)),
                )
            )
        )
        for dates, columns in ((200, 200), (400, 400))
    ]
    assert sizes[1] < 1.1 * sizes[0]


def test_the_same_values_make_the_same_page(page):
    assert render(report()) == page


def test_dates_without_anomalies_are_drawn_and_said():
    run = run_figures(flagged=0, thresholds=dict.fromkeys([date(2026, 3, 1)]))
    nothing = replace(flagged_figures(0), driven=(), strangest=(), score_edges=(0.0,))
    dates = tuple(
        replace(day, rows_flagged=0, severities=dict.fromkeys(day.severities, 0))
        for day in date_figures(run, np.random.default_rng(0))
    )
    none = replace(sample_figures(), flagged=np.zeros(2_000, dtype=bool))
    values = report(run=run, dates=dates, flagged=replace(nothing, score_counts=()), sample=none)
    shown = text_of(render(values))
    assert "0 rows of 10,000,000 are flagged, 0%" in shown
    assert "No row of this run is flagged." in shown


def test_without_labels_there_is_no_part_about_them():
    values = report()
    values = replace(values, setting=replace(values.setting, label=None), evaluation=Absent("x"))
    assert "Against the labels" not in render(values)


def test_labels_that_were_not_compared_are_said_with_what_to_do():
    page = render(report(evaluation=Absent("Run `adlib evaluate`.")))
    assert "Run `adlib evaluate`." in text_of(page)


def test_labels_of_no_row_are_said():
    nothing = replace(
        evaluation(), figures={"labelled_rows": 0, "rows": 9}, roc=(), precision_recall=()
    )
    assert "No row of this run carries the label" in text_of(render(report(evaluation=nothing)))


def test_labels_of_one_kind_have_no_curves():
    figures = {**evaluation().figures, "auroc": None, "average_precision": None, "recall": None}
    one_kind = replace(evaluation(), figures=figures, roc=(), precision_recall=())
    shown = text_of(render(report(evaluation=one_kind)))
    assert "There is no curve where all labelled rows are of one kind." in shown


def test_without_an_event_time_one_date_has_no_plot_over_time():
    run = run_figures(dates=1)
    page = render(report(run=run, flagged=replace(flagged_figures(), hours=())))
    assert "its rows have no time of day" in text_of(page)


def test_one_date_with_times_is_drawn_by_the_hour():
    assert "by hour of the day" in render(report(run=run_figures(dates=1)))


def test_a_sample_that_is_gone_leaves_the_exact_parts_and_says_why():
    shown = text_of(render(report(sample=Absent("The feature table was prepared anew."))))
    assert shown.count("The feature table was prepared anew.") >= 3
    assert "The strangest rows" in shown


def test_a_model_of_before_references_were_kept_is_said():
    values = report()
    health = tuple(
        replace(entry, verdict="not compared", index=None) for entry in values.sample.health
    )
    page = render(replace(values, sample=replace(values.sample, health=health)))
    assert "train again to have one" in text_of(page)


def test_a_run_that_delivers_far_more_than_asked_says_so_above_all():
    run = run_figures(flagged=200_000, over_delivered=(date(2026, 3, 2),))
    shown = text_of(render(report(run=run)))
    assert "4.0 times the 0.500% that was asked for" in shown
    assert "Far more was flagged than was asked for on 2026-03-02." in shown


def test_dates_that_another_run_has_published_since_are_named():
    run = run_figures(superseded=(date(2026, 3, 9),))
    assert "Another run has published 2026-03-09 since" in text_of(render(report(run=run)))


def test_a_detector_without_steps_or_codes_says_so():
    plain = document()
    plain["provenance"]["fit"] = {}
    plain["provenance"]["self_test"] = None
    blind = replace(sample_figures(), latent=None, explained=None, scatter=None)
    shown = text_of(render(report(model=plain, sample=blind)))
    assert "not trained step by step" in shown
    assert "Too few rows were held out" in shown
    assert "The rows vary in fewer than two directions." in shown


@pytest.mark.parametrize("scale", [1e-9, 1.0, 1e12])
def test_columns_of_any_size_are_drawn(scale):
    sample = sample_figures()
    across, up = sample.scatter
    axes = (
        replace(across, values=across.values * scale),
        replace(across, values=-up.values * scale),
    )
    assert "<svg" in render(report(sample=replace(sample, scatter=axes)))


def test_a_column_that_is_constant_or_mostly_missing_is_drawn():
    sample = sample_figures()
    values = np.full(len(sample.scores), np.nan)
    values[:3] = 5.0
    axes = (
        replace(sample.scatter[0], values=values),
        replace(sample.scatter[0], values=values * 0),
    )
    assert "<svg" in render(report(sample=replace(sample, scatter=axes)))
