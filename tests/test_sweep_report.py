"""The report: tables, figures, sensitivity, and the page in a real browser, without a network."""

import csv
import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest

from neurosim.cli import main
from neurosim.errors import NeurosimError
from neurosim.studies.config import Config
from neurosim.studies.sweep.measures import MEASURES
from neurosim.studies.sweep.report import front_of, open_results, report
from neurosim.studies.sweep.sensitivity import sensitivity
from neurosim.studies.sweep.study import Study
from neurosim.studies.sweep.sweep import sweep
from tests import sweeps

FACTORS = {
    "error_bits": [1, 2, 4],
    "feedback_density": {"from": 0.2, "to": 1.0, "count": 3},
    "size": [{"label": "small", "hidden": [5]}, {"label": "large", "hidden": [12, 8], "bias": False}],
    "hardware": ["digital_45nm", "digital_28nm"],
}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    pytest.importorskip("plotly", reason="Plotly, the extra `report`, is not installed")
    base = {"hidden": None}
    path = tmp_path_factory.mktemp("report") / "look.toml"
    sweeps.write(path, FACTORS, seeds=2, base=base, constraints={"test_accuracy": {"min": 0.1}})
    sweep(Study.load(path), workers=1)
    return path, {file.suffix: file for file in report(path)}


def test_all_files_are_written(made):
    files = made[1]
    assert {".html", ".csv", ".png", ".svg"} <= set(files)
    with files[".csv"].open() as file:
        found = list(csv.DictReader(file))
    assert len(found) == 3 * 3 * 2 * 2 * 2
    assert set(FACTORS) | set(MEASURES) <= set(found[0])
    assert files[".png"].read_bytes().startswith(b"\x89PNG")
    assert "http" not in files[".html"].read_text().partition('<script id="data"')[2]  # what is ours asks for nothing


def test_parquet_holds_what_the_view_holds(made):
    pq = pytest.importorskip("pyarrow.parquet", reason="pyarrow, the extra `report`, is not installed")
    path, files = made
    study, store = open_results(path)
    names, rows = store.query("SELECT * FROM results ORDER BY number, hardware")
    store.close()
    table = pq.read_table(files[".parquet"])
    assert table.column_names == names
    assert [tuple(row.values()) for row in table.to_pylist()] == rows
    assert study.definition == Study.load(path).definition


def columns_of(rows):
    return {name: np.array([row[name] for row in rows]) for name in rows[0]}


def content(html):
    text = html.read_text().partition('<script id="data" type="application/json">')[2].partition("</script>")[0]
    return json.loads(text.replace("<\\/", "</"))


def test_the_page_knows_every_run_and_the_command_that_runs_it_again(made):
    data = content(made[1][".html"])
    n = 72
    assert {len(column.get("numbers") or column["which"]) for column in data["columns"].values()} == {n}
    assert len(data["breakdowns"]["rows"]) == n
    energy = data["columns"]["energy_pj_per_sample"]["numbers"]
    for row, total in zip(data["breakdowns"]["rows"], energy, strict=True):
        assert sum(row) == pytest.approx(total, rel=1e-3)
    flags = f"{data['command']['base']} {data['command']['levels']['size']['large']} {data['command']['levels']['error_bits']['2']} --seed 1"
    from neurosim.cli import parser

    given = vars(parser().parse_args(flags.split()[1:]))
    mine = {k: v for k, v in given.items() if k in Config.__dataclass_fields__}
    wanted = Study.load(made[0]).config([level for level in _levels(made[0], "2", "large")], 1)
    assert Config(**mine) == wanted.replace(feedback_density=-1.0)


def _levels(path, bits, size):
    study = Study.load(path)
    return [study.factors[0].at(int(bits)), study.factors[1].levels[0], study.factors[2].at(size)]


def test_fronts():
    points = [(1, 5), (2, 4), (2, 6), (3, 7), (4, 7), (0, 5)]
    assert front_of(points, "min", "max") == [(0, 5), (2, 6), (3, 7)]
    assert front_of(points, "min", "min") == [(0, 5), (2, 4)]
    assert front_of(points, "max", "max") == [(4, 7)]


def test_sensitivity_finds_what_matters(made):
    pytest.importorskip("sklearn", reason="scikit-learn, the extra `report`, is not installed")
    study = Study.load(made[0])
    rows = [{"error_bits": bits, "feedback_density": density, "size": size, "hardware": "a", "seed": seed,
             "test_accuracy": bits + 0.1 * density + 0.001 * seed, "area_um2": 1.0}
            for bits in (1, 2, 4) for density in (0.2, 0.6, 1.0) for size in ("small", "large") for seed in range(3)]  # fmt: skip
    found = sensitivity(study, columns_of(rows), "test_accuracy")
    assert found[0].factor == "error_bits"
    assert found[0].mean > 0.9
    assert {one.factor for one in found} == {"error_bits", "feedback_density", "size"}
    assert all(one.low <= one.mean <= one.high and one.seeds == 3 for one in found)
    assert sensitivity(study, columns_of(rows), "area_um2") == []
    assert sensitivity(study, columns_of(rows[:4]), "test_accuracy") == []


def test_sensitivity_of_many_points_sees_all_levels(made):
    pytest.importorskip("sklearn", reason="scikit-learn, the extra `report`, is not installed")
    rows = [{"error_bits": bits, "feedback_density": i, "size": size, "hardware": "a", "seed": 0,
             "test_accuracy": float(size == "large")}
            for bits in (1, 2) for i in range(200) for size in ("small", "large")]  # fmt: skip
    study = Study.load(made[0])
    assert sensitivity(study, columns_of(rows), "test_accuracy")[0].factor == "size"
    outer = [row | {"test_accuracy": float(row["error_bits"])} for row in rows[:396] + rows[-3:]]
    assert {one.factor for one in sensitivity(study, columns_of(outer), "test_accuracy")} >= {"error_bits"}


def test_the_command_has_every_digit_and_no_value_that_looks_like_a_flag(tmp_path):
    pytest.importorskip("plotly", reason="Plotly, the extra `report`, is not installed")
    factors = {"learning_rate": ["2^-6", "2^-13"], "feedback_density": {"from": 0.2, "to": 1.0, "count": 4, "log": True},
               "g": [{"label": "g", "feedback_gain": [-3]}]}  # fmt: skip
    path = sweeps.write(tmp_path / "s.toml", factors)
    sweep(Study.load(path), workers=1)
    data = content(report(path)[0])
    assert set(data["columns"]["learning_rate"]["numbers"]) == {2.0**-6, 2.0**-13}
    densities = {level.label for level in Study.load(path).factors[1].levels}
    assert set(data["columns"]["feedback_density"]["numbers"]) == densities
    assert data["command"]["levels"]["g"]["g"] == "--feedback-gain=-3"


def test_what_cannot_be_reported(tmp_path, capsys):
    assert main(["report", str(tmp_path / "none.toml")]) == 2
    assert "there are no results; run neurosim sweep first" in capsys.readouterr().err
    (tmp_path / "empty.sqlite").touch()
    assert main(["report", str(tmp_path / "empty.toml")]) == 2
    assert "is no results file of a sweep" in capsys.readouterr().err
    assert (tmp_path / "empty.sqlite").stat().st_size == 0
    path = sweeps.write(tmp_path / "study.toml", {"error_bits": [1]}, base={"learning_rate": 2.0**-62})
    sweep(Study.load(path), workers=1)
    report(path)  # a page that says that nothing has finished is still a page
    with pytest.raises(NeurosimError, match="cannot be written"):
        report(path, path / "folder")


# ---------------------------------------------------------------------- the browser


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    selenium = pytest.importorskip("selenium", reason="selenium is not installed")
    del selenium
    chromium = os.environ.get("NEUROSIM_CHROMIUM") or shutil.which("chromium")
    driver = os.environ.get("NEUROSIM_CHROMEDRIVER") or shutil.which("chromedriver")
    if not chromium or not driver:
        pytest.skip("there is no chromium with its chromedriver here (Debian: chromium, chromium-driver)")
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service

    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    profile = tmp_path_factory.mktemp("profile")
    for flag in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--enable-unsafe-swiftshader",
                 "--window-size=1400,1600", "--host-resolver-rules=MAP * ~NOTFOUND", f"--user-data-dir={profile}"):  # fmt: skip
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    found = webdriver.Chrome(options=options, service=Service(driver))
    yield found
    found.quit()


def opened(browser, path):
    from selenium.webdriver.support.ui import WebDriverWait

    browser.get(Path(path).resolve().as_uri())
    WebDriverWait(browser, 60).until(lambda page: page.execute_script("return document.body.dataset.ready === 'yes'"))
    return browser


def run(browser, script, *args):
    return browser.execute_script(f"return {script}", *args)


def change(browser, identity, value):
    browser.execute_script(
        "const e = document.getElementById(arguments[0]); e.value = arguments[1]; e.dispatchEvent(new Event('change'))",
        identity,
        value,
    )


def mistakes(browser):
    return [entry for entry in browser.get_log("browser") if entry["level"] == "SEVERE"]


def test_the_page_in_a_browser(made, browser):
    page = opened(browser, made[1][".html"])
    assert mistakes(page) == []
    for chart in ("front", "curve", "parallel", "sensitivity"):
        assert run(page, "document.getElementById(arguments[0]).data.length", chart) > 0, chart
    assert "36 configurations" in run(page, "document.getElementById('summary').textContent")
    assert "36 configurations; " in run(page, "document.getElementById('front-note').textContent")
    # the front is that of the module
    front = run(
        page,
        "(() => { const t = document.getElementById('front').data.at(-1); return t.x.map((x, i) => [x, t.y[i]]) })()",
    )
    from neurosim.studies.sweep.report import means_over_seeds

    study, store = open_results(made[0])
    columns = columns_of(store.rows("SELECT * FROM results ORDER BY number, hardware"))
    store.close()
    means = means_over_seeds(study, columns, ["energy_pj_per_sample", "test_accuracy"])
    wanted = front_of([(m["energy_pj_per_sample"], m["test_accuracy"]) for m in means if study.allows(m)], "min", "max")
    assert [pytest.approx(point, rel=1e-5) for point in front] == [(x, 100 * y) for x, y in wanted]


def test_axes_filters_and_chosen_points(made, browser):
    page = opened(browser, made[1][".html"])
    change(page, "x", "area_um2")
    assert run(page, "document.getElementById('front').layout.xaxis.title.text") == "area, um2"
    change(page, "measure", "held_bits")
    assert run(page, "document.getElementById('curve').layout.yaxis.title.text") == "held bits, bit"
    change(page, "lines", "size")
    assert run(page, "document.getElementById('curve').data.map((t) => t.name)") == ["size large", "size small"]
    run(page, "document.querySelector(\"fieldset[data-factor='hardware'] input\").click()")
    assert "18 configurations, 18 filtered out" in run(page, "document.getElementById('front-note').textContent")
    run(
        page,
        "document.getElementById('front').emit('plotly_hover', {points: [{data: document.getElementById('front').data[0], pointNumber: 0}], event: {clientX: 9, clientY: 9}})",
    )
    assert "error_bits: " in run(page, "document.getElementById('tip').textContent")
    for k in (0, 1):
        run(
            page,
            "document.getElementById('front').emit('plotly_click', {points: [{data: document.getElementById('front').data[0], pointNumber: arguments[0]}]})",
            k,
        )
    said = run(page, "document.getElementById('chosen').textContent")
    assert said.count("neurosim train digits --epochs 1") == 2
    assert run(page, "document.getElementById('energy').data.length") > 3
    assert mistakes(page) == []


def test_results_are_read_where_nothing_can_be_written(made, tmp_path, monkeypatch):
    from neurosim.studies.sweep import store as module

    connect, seen = module.sqlite3.connect, []

    def as_on_a_read_only_mount(address, **kwargs):
        seen.append(str(address))
        if "immutable" not in str(address):  # write-ahead mode needs a file beside the results
            raise module.sqlite3.OperationalError("unable to open database file")
        return connect(address, **kwargs)

    path = Path(shutil.copy(made[0].with_suffix(".sqlite"), tmp_path))
    before = path.read_bytes()
    monkeypatch.setattr(module.sqlite3, "connect", as_on_a_read_only_mount)
    study, store = open_results(path)
    assert len(store.rows("SELECT * FROM results")) == 72
    store.close()
    assert len(seen) == 2
    assert (path.read_bytes(), study.name) == (before, "look")
    path.with_name("look.sqlite-wal").write_bytes(b"what nobody has taken up")
    with pytest.raises(NeurosimError, match="cannot be read where it lies"):
        open_results(path)
