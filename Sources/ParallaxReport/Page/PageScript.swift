/// The page's own script: expands data, draws figures, saves and copies.
enum PageScript {
  static let source: StaticString = #"""
    "use strict";
    (() => {
      const read = id => JSON.parse(document.getElementById(id).textContent);
      const figures = read("figures"), data = read("data");
      const expanded = {}, views = {};
      const number = value => value === null ? "–" : value.toFixed(3).replace("-", "−");
      const rounded = value => Math.round(value * 1e4) / 1e4;

      // Tables and matrices are stored compactly; figures want one object a row.
      function rows(name) {
        if (expanded[name]) return expanded[name];
        const set = data[name], all = [];
        if (set.columns) {
          for (const cells of set.rows)
            all.push(Object.fromEntries(set.columns.map((column, i) => [column, cells[i]])));
        } else {
          set.values.forEach((line, y) => line.forEach((value, x) => {
            const place = {x0: x, x1: x + 1, y0: y, y1: y + 1};
            const sites = {column: set.column.sites[x], row: set.row.sites[y], value};
            const shown = value === null ? "undefined" : number(value);
            if (set.factor === undefined) {
              const line = set.p ? set.p[y] : [null], p = line[line.length > 1 ? x : 0];
              all.push({...place, xm: x + 0.5, ym: y + 0.5, ...sites, p, shown,
                chance: p === null ? "not estimated" : String(p)});
              return;
            }
            const error = set.errors ? set.errors[y][x] : null;
            const known = value !== null && error !== null;
            const [low, high] = known ? [value - set.factor * error, value + set.factor * error] : [null, null];
            all.push({...place, ...sites, low: known ? rounded(low) : null, high: known ? rounded(high) : null,
              shown, interval: known ? `${number(low)} to ${number(high)}` : "not estimated",
            });
          }));
        }
        return expanded[name] = all;
      }

      function theme() {
        const style = getComputedStyle(document.documentElement);
        const [ink, quiet, line] = ["--ink", "--quiet", "--line"].map(name => style.getPropertyValue(name).trim());
        const font = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', sans-serif";
        return {
          background: style.getPropertyValue("--paper").trim(), font, padding: 4,
          axis: {labelColor: quiet, titleColor: ink, gridColor: line, tickColor: quiet, domainColor: quiet,
            labelFontSize: 11, titleFontSize: 12, titleFontWeight: 500, labelFont: font, titleFont: font, tickSize: 4,
            labelLimit: 130},
          legend: {labelColor: quiet, titleColor: ink, labelFontSize: 11, titleFontSize: 12, titleFontWeight: 500,
            symbolSize: 60, labelLimit: 240},
          title: {color: ink, fontSize: 13, fontWeight: 600},
          view: {stroke: null},
          style: Object.fromEntries([["ink", ink], ["quiet", quiet], ["paper", style.getPropertyValue("--paper").trim()]]
            .map(([name, colour]) => [name, {color: colour}])),
          text: {font},
        };
      }

      async function draw(place) {
        const name = place.dataset.figure, figure = figures[name];
        const datasets = Object.fromEntries(figure.data.map(set => [set, rows(set)]));
        const spec = {$schema: "https://vega.github.io/schema/vega-lite/v6.json", config: theme(), datasets,
          ...figure.chart};
        try {
          if (views[name]) views[name].finalize();
          views[name] = await vegaEmbed(place, spec,
            {renderer: figure.renderer, actions: false, tooltip: {theme: "custom"}});
          place.dataset.drawn = "yes";
        } catch (error) {
          place.textContent = "This figure could not be drawn: " + error.message;
          document.body.dataset.state = "failed";
          console.error(error);
        }
      }

      const visible = () => [...document.querySelectorAll("[data-figure]")].filter(place => {
        const fold = place.closest("details");
        return !fold || fold.open;
      });

      async function drawAll(again) {
        if (document.body.dataset.state !== "failed") document.body.dataset.state = "drawing";
        if (again) document.querySelectorAll("[data-figure]").forEach(place => delete place.dataset.drawn);
        for (const place of visible()) if (!place.dataset.drawn) await draw(place);
        if (document.body.dataset.state !== "failed") document.body.dataset.state = "drawn";
      }
      document.querySelectorAll("details").forEach(fold =>
        fold.addEventListener("toggle", () => { if (fold.open) drawAll(false); }));
      matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => drawAll(true));
      document.getElementById("theme").addEventListener("click", () => {
        const dark = getComputedStyle(document.documentElement).colorScheme === "dark";
        document.documentElement.dataset.theme = dark ? "light" : "dark";
        drawAll(true);
      });

      function save(name, type, content) {
        const link = document.createElement("a");
        link.download = name;
        link.href = typeof content === "string" && content.startsWith("data:")
          ? content : URL.createObjectURL(new Blob([content], {type}));
        link.click();
        if (link.href.startsWith("blob:")) setTimeout(() => URL.revokeObjectURL(link.href), 10000);
      }
      const cell = value => value === null || value === undefined ? ""
        : /[",\n\r]/.test(String(value)) ? '"' + String(value).replaceAll('"', '""') + '"' : String(value);
      function csv(figure) {
        const hidden = ["x0", "x1", "y0", "y1", "xm", "ym", "shown", "interval", "chance", "modelIndex"];
        const lines = [];
        let header = "";
        for (const set of new Set(figure.exported)) {
          const source = data[set];
          for (const row of rows(set)) {
            const entries = Object.entries(row).filter(([key]) => !hidden.includes(key) && !key.startsWith("_"))
              .map(([key, value]) => [key, source.values && (key === "column" || key === "row")
                ? `${source[key].model}@${value}` : value]);
            const head = entries.map(([key]) => key).join(",");
            if (head !== header) lines.push(header = head);
            lines.push(entries.map(([, value]) => cell(value)).join(","));
          }
        }
        return lines.join("\n") + "\n";
      }

      document.addEventListener("click", async event => {
        const button = event.target.closest("button");
        if (!button) return;
        if (button.dataset.copy !== undefined) {
          const label = button.textContent;
          try { await navigator.clipboard.writeText(button.dataset.copy); button.textContent = "Copied"; }
          catch {
            getSelection().selectAllChildren(button.previousElementSibling);
            button.textContent = "Selected";
          }
          setTimeout(() => { button.textContent = label; }, 1500);
        }
        if (!button.dataset.save) return;
        const name = button.dataset.of, figure = figures[name], kind = button.dataset.save;
        if (kind === "csv") save(name + ".csv", "text/csv", csv(figure));
        if (kind === "json") {
          const datasets = Object.fromEntries(figure.data.map(set => [set, rows(set)]));
          save(name + ".vl.json", "application/json",
            JSON.stringify({$schema: "https://vega.github.io/schema/vega-lite/v6.json", datasets, ...figure.chart}));
        }
        if (kind === "svg") save(name + ".svg", "image/svg+xml", await views[name].view.toSVG());
        if (kind === "png") save(name + ".png", "image/png", (await views[name].view.toCanvas(3)).toDataURL());
      });

      // The contents list marks the section in view.
      const links = new Map([...document.querySelectorAll("nav a")].map(link => [link.hash.slice(1), link]));
      const watcher = new IntersectionObserver(entries => {
        for (const entry of entries) if (entry.isIntersecting) {
          links.forEach(link => link.removeAttribute("aria-current"));
          const link = links.get(entry.target.id), list = link?.closest("ul");
          link?.setAttribute("aria-current", "true");
          if (list) list.scrollLeft = link.offsetLeft - list.offsetLeft - (list.clientWidth - link.offsetWidth) / 2;
        }
      }, {rootMargin: "-10% 0px -75% 0px"});
      links.forEach((_, id) => { const place = document.getElementById(id); if (place) watcher.observe(place); });
      drawAll(false);
    })();
    """#
}
