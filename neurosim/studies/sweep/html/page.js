"use strict";
// Columns of runs -> configurations (means over seeds) -> what filters let through -> charts.
const D = JSON.parse(document.getElementById("data").textContent);
const $ = (id) => document.getElementById(id);
const FACTORS = [...D.factors, ...D.priced_factors];
const MEASURES = Object.keys(D.measures), N = D.columns.seed.numbers.length;
for (const name of MEASURES) D.columns[name].numbers = D.columns[name].numbers.map((v) => (v === null ? NaN : v)); // not known, and no 0
const COLOURS = ["#2563eb", "#ea580c", "#16a34a", "#9333ea", "#dc2626", "#0891b2", "#ca8a04", "#db2777", "#475569", "#65a30d"];
const LAYOUT = { autosize: true, margin: { l: 70, r: 20, t: 10, b: 50 }, font: { family: "system-ui, sans-serif", size: 12, color: "#1f2937" },
  paper_bgcolor: "#fff", plot_bgcolor: "#fff", hovermode: "closest" };
const AXIS = { gridcolor: "#e5e7eb", zeroline: false, automargin: true };
const CONFIG = { responsive: true, displaylogo: false };
const MANY = 4000, MOST_LINES = 1000, MOST_CHOSEN = 5, NAMED = 40;

const isShare = (name) => D.measures[name].unit === "share";
const scaled = (name, v) => (isShare(name) ? 100 * v : v);
const title = (name) => (D.measures[name] ? D.measures[name].title : name.replaceAll("_", " "));
const way = (name) => D.objectives[name] || D.measures[name].better;
const text = (name, i) => { const c = D.columns[name]; return c.names ? c.names[c.which[i]] : String(c.numbers[i]); };
const figure = (v) => (v === null || Number.isNaN(v) ? "–" : Number.isInteger(v) && Math.abs(v) < 1e6 ? v.toLocaleString("en") : Number(v.toPrecision(4)).toLocaleString("en", { maximumSignificantDigits: 4 }));
const reading = (name, c) => { const v = figure(scaled(name, c.mean[name])); return isShare(name) ? `${v} %` : `${v} ${D.measures[name].unit}`; };
const brief = (name, i) => { const v = (D.columns[name].numbers || [])[i]; return v === undefined || Number.isInteger(v) ? text(name, i) : String(Number(v.toPrecision(6))); };
const escaped = (s) => String(s).replace(/[&<>"]/g, (k) => ({ "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;" })[k]);

// ---- configurations: runs that differ only in their seed
function configurations() {
  const seeds = D.seeds.length, models = new Map(), groups = new Map();
  for (let i = 0; i < N; i++) {
    const model = text("hardware", i);
    if (!models.has(model)) models.set(model, models.size);
    const key = Math.floor(D.columns.number.numbers[i] / seeds) * D.hardware.length + models.get(model);
    const group = groups.get(key);
    if (group) group.push(i); else groups.set(key, [i]);
  }
  return [...groups.values()].map((rows) => {
    const mean = {};
    for (const name of MEASURES) {
      let sum = 0;
      for (const i of rows) sum += D.columns[name].numbers[i];
      mean[name] = sum / rows.length;
    }
    return { rows, first: rows[0], mean };
  });
}
const ALL = configurations();
const allowed = (c) => Object.entries(D.constraints).every(([name, [least, most]]) =>
  (least === null || c.mean[name] >= least) && (most === null || c.mean[name] <= most));
const spread = (c, name) => {
  const n = c.rows.length;
  const found = n < 2 ? 0 : Math.sqrt(c.rows.reduce((sum, i) => sum + (D.columns[name].numbers[i] - c.mean[name]) ** 2, 0) / (n - 1));
  return found < 1e-9 * Math.abs(c.mean[name]) ? 0 : found; // rounding
};

// ---- filters
const filters = {};
function makeFilters() {
  for (const name of FACTORS) {
    const c = D.columns[name], values = c.names || [...new Set(c.numbers)].sort((a, b) => a - b);
    if (values.length < 2) continue;
    const box = document.createElement("fieldset");
    box.innerHTML = `<legend>${escaped(name)}</legend>`;
    box.dataset.factor = name;
    if (values.length <= NAMED && (c.names || values.length <= 12)) {
      filters[name] = { names: new Set(values.map(String)) };
      for (const value of values) {
        const label = document.createElement("label");
        label.innerHTML = `<input type="checkbox" checked value="${escaped(value)}"> ${escaped(c.names ? value : figure(value))}`;
        label.firstChild.addEventListener("change", (e) => {
          if (e.target.checked) filters[name].names.add(e.target.value); else filters[name].names.delete(e.target.value);
          refresh();
        });
        box.append(label);
      }
    } else if (!c.names) {
      filters[name] = { least: values[0], most: values[values.length - 1] };
      for (const [end, start] of [["least", values[0]], ["most", values[values.length - 1]]]) {
        const input = document.createElement("input");
        Object.assign(input, { type: "number", step: "any", value: start, title: end });
        input.addEventListener("change", () => { filters[name][end] = input.value === "" ? start : Number(input.value); refresh(); });
        box.append(input, end === "least" ? " … " : "");
      }
    } else continue;
    $("filters").append(box);
  }
}
const passes = (c) => Object.entries(filters).every(([name, f]) => {
  if (f.names) return f.names.has(text(name, c.first));
  const v = D.columns[name].numbers[c.first];
  return v >= f.least && v <= f.most;
});

// ---- charts
// A level keeps its colour whatever the filters let through.
const places = {};
const colourOf = (name, level) => {
  places[name] ||= new Map(groupsBy(ALL, name).map(([one], i) => [one, i]));
  return COLOURS[(places[name].get(level) ?? 0) % COLOURS.length];
};
let shown = [], chosen = [];
function frontOf(some, x, y) {
  const a = way(x) === "min" ? 1 : -1, b = way(y) === "min" ? 1 : -1, found = [];
  const known = some.filter((c) => Number.isFinite(c.mean[x]) && Number.isFinite(c.mean[y]));
  const sorted = known.filter(allowed).sort((p, q) => a * (p.mean[x] - q.mean[x]) || b * (p.mean[y] - q.mean[y]));
  for (const c of sorted) if (!found.length || b * c.mean[y] < b * found[found.length - 1].mean[y]) found.push(c);
  return found;
}
function hover(c) {
  const factors = FACTORS.map((name) => `${escaped(name)}: ${escaped(brief(name, c.first))}`);
  const measures = [...new Set([...Object.keys(D.objectives), $("x").value, $("y").value])].map((name) => `${title(name)}: <b>${reading(name, c)}</b>`);
  return [...measures, ...factors, `${c.rows.length} seed${c.rows.length > 1 ? "s" : ""}`, ...(allowed(c) ? [] : ["breaks a constraint"])].join("<br>");
}
function groupsBy(some, name) {
  if (!name) return [["points", some]];
  const groups = new Map();
  for (const c of some) { const key = text(name, c.first); if (groups.has(key)) groups.get(key).push(c); else groups.set(key, [c]); }
  const number = !D.columns[name].names;
  return [...groups].sort((p, q) => (number ? p[0] - q[0] : p[0] < q[0] ? -1 : 1));
}
function drawFront() {
  const x = $("x").value, y = $("y").value, by = $("colour").value, kind = shown.length > MANY ? "scattergl" : "scatter";
  const at = (some, name) => some.map((c) => scaled(name, c.mean[name]));
  const groups = groupsBy(shown, by), traces = [], few = groups.length <= COLOURS.length;
  if (few) {
    groups.forEach(([name, some]) => traces.push({ type: kind, mode: "markers", name: by ? `${by} ${name}` : name, x: at(some, x), y: at(some, y), of: some,
      marker: { size: shown.length > MANY ? 4 : 7, color: by ? colourOf(by, name) : "#94a3b8", opacity: some.length > MANY ? 0.4 : 0.75 }, hoverinfo: "none" }));
  } else {
    const c = D.columns[by];
    traces.push({ type: kind, mode: "markers", name: by, x: at(shown, x), y: at(shown, y), of: shown, hoverinfo: "none", marker: { size: shown.length > MANY ? 4 : 7,
      color: shown.map((one) => (c.names ? c.which[one.first] : c.numbers[one.first])), colorscale: "Viridis", showscale: !c.names, colorbar: { title: { text: by } } } });
  }
  const broken = shown.filter((c) => !allowed(c));
  if (broken.length && broken.length <= MANY) {
    traces.push({ type: kind, mode: "markers", name: "breaks a constraint", x: at(broken, x), y: at(broken, y), of: broken, hoverinfo: "none",
      marker: { size: 9, symbol: "x-thin", line: { width: 1, color: "#64748b" } } });
  }
  const front = frontOf(shown, x, y);
  traces.push({ type: "scatter", mode: "lines+markers", name: "Pareto front", x: at(front, x), y: at(front, y), of: front, hoverinfo: "none",
    line: { color: "#111827", width: 1.5 }, marker: { size: 9, color: "rgba(0,0,0,0)", line: { color: "#111827", width: 1.5 } } });
  const layout = { ...LAYOUT, xaxis: { ...AXIS, title: { text: title(x) }, type: $("log").checked ? "log" : "linear" },
    yaxis: { ...AXIS, title: { text: title(y) } }, legend: { orientation: "h", y: 1.02, yanchor: "bottom" }, margin: { ...LAYOUT.margin, t: 40 } };
  Plotly.react("front", traces, layout, CONFIG);
  const off = ALL.length - shown.length;
  $("front-note").textContent = `${shown.length.toLocaleString("en")} configurations${off ? `, ${off.toLocaleString("en")} filtered out` : ""}; ${front.length} on the front (${way(x)} ${title(x)}, ${way(y)} ${title(y)}). Means over seeds.`;
}
function watchFront() {
  const tip = document.createElement("div");
  tip.id = "tip";
  tip.style.cssText = "position:fixed;z-index:9;background:#fff;border:1px solid #cbd5e1;border-radius:6px;padding:.4rem .6rem;font-size:.8rem;pointer-events:none;display:none;box-shadow:0 2px 8px #0002;max-width:26rem";
  document.body.append(tip);
  const point = (event) => event.points[0].data.of[event.points[0].pointNumber];
  $("front").on("plotly_hover", (event) => {
    tip.innerHTML = hover(point(event));
    tip.style.display = "block";
    tip.style.left = `${Math.min(event.event.clientX + 14, innerWidth - 330)}px`;
    tip.style.top = `${Math.min(event.event.clientY + 14, innerHeight - tip.offsetHeight - 8)}px`;
  });
  $("front").on("plotly_unhover", () => { tip.style.display = "none"; });
  $("front").on("plotly_click", (event) => {
    const c = point(event);
    chosen = chosen.includes(c) ? chosen.filter((one) => one !== c) : [...chosen, c].slice(-MOST_CHOSEN);
    drawChosen();
  });
}
const quoted = (s) => (/^[\w@%+=:,./-]+$/.test(s) ? s : `'${s.replaceAll("'", "'\"'\"'")}'`); // as a shell reads it
function command(c) {
  const flags = D.factors.map((name) => {
    const level = text(name, c.first), known = D.command.levels[name];
    return known && level in known ? known[level] : `--${name.replaceAll("_", "-")} ${level}`;
  });
  return [D.command.base, ...flags, `--seed ${D.columns.seed.numbers[c.first]}`, `--hardware ${quoted(text("hardware", c.first))}`].filter(Boolean).join(" ");
}
function drawChosen() {
  $("energy").hidden = !chosen.length || !D.breakdowns.names;
  if (!chosen.length) {
    $("chosen").innerHTML = '<p class="note">Click on points in the front to set them side by side.</p>';
    Plotly.purge("energy");
    return;
  }
  const letter = (i) => "ABCDE"[i];
  const row = (head, cell) => `<tr><th>${head}</th>${chosen.map((c, i) => `<td>${cell(c, i)}</td>`).join("")}</tr>`;
  $("chosen").innerHTML = `<table>${row("", (c, i) => `<b>${letter(i)}</b>`)}${FACTORS.map((name) => row(escaped(name), (c) => escaped(brief(name, c.first)))).join("")}` +
    `${MEASURES.map((name) => row(title(name), (c) => `${figure(scaled(name, c.mean[name]))}${c.rows.length > 1 ? ` ± ${figure(scaled(name, spread(c, name)))}` : ""}`)).join("")}` +
    `${row("runs it again", (c) => `<code>${escaped(command(c))}</code>`)}</table>`;
  const parts = D.breakdowns;
  if (!parts.names) return;
  const x = chosen.map((c, i) => letter(i));
  const traces = parts.names.map((name, k) => ({ type: "bar", name, x, marker: { color: COLOURS[k % COLOURS.length] },
    y: chosen.map((c) => c.rows.reduce((sum, i) => sum + parts.rows[i][k], 0) / c.rows.length), hovertemplate: `${name}: %{y:.4g} pJ<extra></extra>` }));
  Plotly.react("energy", traces.filter((t) => t.y.some((v) => v > 0)), { ...LAYOUT, margin: { ...LAYOUT.margin, t: 40 }, barmode: "stack", bargap: 0.5, xaxis: { type: "category" },
    yaxis: { ...AXIS, title: { text: "energy of a learning sample, pJ" } } }, CONFIG);
}
function drawCurve() {
  const name = $("factor").value, measure = $("measure").value, by = $("lines").value;
  if (!name) return;
  const numeric = !D.columns[name].names;
  const traces = groupsBy(shown, by).slice(0, 20).map(([label, some]) => {
    const points = groupsBy(some, name).map(([value, here]) => {
      const bySeed = new Map();
      for (const c of here) for (const i of c.rows) {
        const seed = D.columns.seed.numbers[i], sum = bySeed.get(seed) || [0, 0];
        if (Number.isNaN(D.columns[measure].numbers[i])) continue;
        sum[0] += D.columns[measure].numbers[i]; sum[1] += 1;
        bySeed.set(seed, sum);
      }
      const means = [...bySeed.values()].map(([sum, n]) => sum / n), mean = means.reduce((a, b) => a + b, 0) / means.length;
      const deviation = means.length > 1 ? Math.sqrt(means.reduce((sum, v) => sum + (v - mean) ** 2, 0) / (means.length - 1)) : 0;
      return [numeric ? Number(value) : value, scaled(measure, mean), scaled(measure, deviation)];
    });
    const many = points.length > 60, colour = by ? colourOf(by, label) : COLOURS[0];
    return { type: "scatter", mode: many ? "markers" : "lines+markers", name: by ? `${by} ${label}` : title(measure), x: points.map((p) => p[0]), y: points.map((p) => p[1]),
      error_y: { type: "data", array: points.map((p) => p[2]), visible: !many, thickness: 1, width: 3 }, line: { color: colour, width: 1.5 },
      marker: { color: colour, size: many ? 3 : 6 } };
  });
  const log = numeric && spansDecades(D.columns[name].numbers);
  Plotly.react("curve", traces, { ...LAYOUT, xaxis: { ...AXIS, title: { text: title(name) }, type: numeric ? (log ? "log" : "linear") : "category" },
    yaxis: { ...AXIS, title: { text: title(measure) } }, showlegend: Boolean(by), legend: { orientation: "h", y: 1.02, yanchor: "bottom" }, margin: { ...LAYOUT.margin, t: 40 } }, CONFIG);
}
const spansDecades = (values) => {
  const least = values.reduce((a, b) => Math.min(a, b), Infinity);
  return least > 0 && values.reduce((a, b) => Math.max(a, b), 0) / least > 9.99;
};
function decades(label, values) { // Plotly's parallel axes are linear: the logarithm is drawn and the number written
  const ends = [Math.min(...values), Math.max(...values)], ticks = [];
  for (let e = Math.floor(Math.log10(ends[0])); e <= Math.log10(ends[1]); e++) ticks.push(...[1, 2, 5].map((k) => k * 10 ** e).filter((v) => v >= ends[0] && v <= ends[1]));
  const shown = ticks.length > 8 ? ticks.filter((_, i) => i % 3 === 0) : ticks;
  return { label, values: values.map(Math.log10), tickvals: shown.map(Math.log10), ticktext: shown.map((v) => String(Number(v.toPrecision(3)))) };
}
function drawParallel() {
  const step = Math.max(1, shown.length / MOST_LINES);
  // drawn, since every so-maniest point of a grid may have one level of a factor only
  const whole = shown.filter((c) => Object.keys(D.objectives).every((name) => Number.isFinite(c.mean[name])));
  const some = step === 1 ? whole : whole.filter((c) => (Math.imul(c.first + 1, 2654435761) >>> 0) < 2 ** 32 / step);
  const dimensions = FACTORS.map((name) => {
    const c = D.columns[name];
    if (!c.names) return spansDecades(c.numbers) ? decades(name, some.map((one) => c.numbers[one.first])) : { label: name, values: some.map((one) => c.numbers[one.first]) };
    return { label: name, values: some.map((one) => c.which[one.first]), tickvals: c.names.map((_, i) => i), ticktext: c.names.map((s) => s.slice(0, 18)) };
  });
  const objectives = Object.keys(D.objectives);
  for (const name of objectives) dimensions.push({ label: title(name), values: some.map((c) => scaled(name, c.mean[name])) });
  const first = objectives[0];
  Plotly.react("parallel", [{ type: "parcoords", dimensions, labelangle: dimensions.length > 6 ? -12 : 0, labelfont: { size: 12 }, line: { color: some.map((c) => scaled(first, c.mean[first])), colorscale: "Viridis",
    showscale: true, colorbar: { title: { text: title(first) }, thickness: 12 } } }], { ...LAYOUT, margin: { l: 80, r: 80, t: dimensions.length > 6 ? 70 : 50, b: 20 } }, CONFIG);
  $("parallel-note").textContent = `Drag along an axis to keep a part of it.${step > 1 ? ` One configuration in ${figure(step)} is drawn.` : ""}`;
}
function drawSensitivity() {
  const found = Object.entries(D.sensitivity).filter(([, list]) => list.length);
  if (!found.length) { $("sensitivity-note").textContent = "Too few points, or only one factor varies: nothing to compare."; $("sensitivity").hidden = true; return; }
  const traces = found.map(([name, list], k) => ({ type: "bar", name: title(name), x: list.map((one) => one.factor), y: list.map((one) => 100 * one.mean), marker: { color: COLOURS[k] },
    error_y: { type: "data", symmetric: false, array: list.map((one) => 100 * (one.high - one.mean)), arrayminus: list.map((one) => 100 * (one.mean - one.low)), thickness: 1, width: 4 } }));
  Plotly.react("sensitivity", traces, { ...LAYOUT, barmode: "group", xaxis: { type: "category" }, yaxis: { ...AXIS, title: { text: "share of variance explained, %" }, rangemode: "tozero" },
    showlegend: true, legend: { orientation: "h", y: 1.02, yanchor: "bottom" }, margin: { ...LAYOUT.margin, t: 40 } }, CONFIG);
  $("sensitivity-note").textContent = `Importance by fANOVA, at most 200 points of each seed; bars: 95 % interval of the mean over ${D.seeds.length} seed${D.seeds.length > 1 ? "s" : ""}. What factors do together is in none of them.`;
}

// ---- controls
function fill(id, names, start) {
  $(id).innerHTML = names.map((name) => `<option value="${escaped(name)}">${escaped(name ? title(name) : "none")}</option>`).join("");
  $(id).value = names.includes(start) ? start : names[0];
}
function refresh() {
  shown = ALL.filter(passes);
  drawFront();
  drawCurve();
  clearTimeout(refresh.later); // the page answers before the heaviest chart is drawn
  refresh.later = setTimeout(drawParallel, 30);
}
function begin() {
  const states = Object.entries(D.states).map(([state, n]) => `${n.toLocaleString("en")} ${state}`).join(", ");
  $("title").textContent = D.name;
  $("summary").textContent = `${ALL.length.toLocaleString("en")} configurations of ${N.toLocaleString("en")} priced runs (${states}), ${D.seeds.length} seed${D.seeds.length > 1 ? "s" : ""}, priced on ${D.hardware.length > 6 ? `${D.hardware.length} variants of hardware` : D.hardware.join(", ")}${D.unpriced ? `; ${D.unpriced.toLocaleString("en")} that a model cannot price are in the tables alone` : ""}.`;
  $("made").textContent = `Made by ${D.made}.`;
  const objectives = Object.keys(D.objectives), y = objectives.find(isShare) || objectives[0];
  fill("y", MEASURES, y);
  fill("x", MEASURES, objectives.find((name) => name !== y) || MEASURES.find((name) => name.startsWith("energy")));
  const varied = FACTORS.filter((name) => name in filters || (D.columns[name].names || [...new Set(D.columns[name].numbers)]).length > 1);
  fill("colour", ["", ...varied], varied[0]);
  fill("factor", varied, varied.find((name) => !D.columns[name].names));
  fill("measure", MEASURES, y);
  fill("lines", ["", ...varied.filter((name) => (D.columns[name].names || [...new Set(D.columns[name].numbers)]).length <= 20)], "");
  for (const id of ["x", "y", "colour", "log"]) $(id).addEventListener("change", drawFront);
  for (const id of ["factor", "measure", "lines"]) $(id).addEventListener("change", drawCurve);
  $("clear").addEventListener("click", () => { chosen = []; drawChosen(); });
  const xs = ALL.map((c) => c.mean[$("x").value]).filter(Number.isFinite), least = xs.reduce((a, b) => Math.min(a, b), Infinity);
  $("log").checked = least > 0 && xs.reduce((a, b) => Math.max(a, b), 0) > 10 * least;
  refresh();
  watchFront();
  drawSensitivity();
  document.body.dataset.ready = "yes";
}
makeFilters();
begin();
