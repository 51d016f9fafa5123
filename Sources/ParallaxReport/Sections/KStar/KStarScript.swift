/// Draws the map of a latent space and answers to the pointer and the keyboard; puts pictures of the contact sheet where they are asked
/// for.
enum KStarScript {
  static let source: StaticString = #"""
    "use strict";
    (() => {
      const place = document.getElementById("kstar-content");
      const pictures = new Map();
      document.querySelectorAll(".sheet img, .strip img").forEach(image => {
        if (!pictures.has(image.title)) pictures.set(image.title, image.src);
      });
      function fill(span, name) {
        const source = pictures.get(name);
        if (source) {
          const image = document.createElement("img");
          image.src = source; image.alt = name; image.loading = "lazy";
          span.replaceChildren(image);
        } else {
          span.textContent = name.split("/").pop().replace(/\.[a-z]+$/i, "").slice(0, 12);
          span.classList.add("missing");
        }
      }
      document.querySelectorAll("[data-picture]").forEach(span => fill(span, span.dataset.picture));
      if (!place) return;
      const content = JSON.parse(place.textContent);
      const part = name => document.querySelector(`[data-kstar="${name}"]`);
      const [plane, side, note] = ["plane", "side", "note"].map(part);
      const [space, colour, only, layout] = ["space", "colour", "class", "layout"].map(part);
      const width = 620, height = 460, margin = 14;
      const svg = (name, attributes) => {
        const made = document.createElementNS("http://www.w3.org/2000/svg", name);
        for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
        return made;
      };
      const marks = ["circle", "square", "diamond"];
      // Viridis; its ends have little contrast to black and to white, so marks of it have an outline.
      const ramp = ["#440154", "#414487", "#2a788e", "#22a884", "#7ad151", "#fde725"];
      const mixed = share => {
        const at = Math.max(0, Math.min(1, share)) * (ramp.length - 1), low = Math.min(ramp.length - 2, Math.floor(at));
        const [a, b] = [ramp[low], ramp[low + 1]].map(text => [1, 3, 5].map(i => parseInt(text.slice(i, i + 2), 16)));
        return `rgb(${a.map((value, i) => Math.round(value + (at - low) * (b[i] - value))).join(",")})`;
      };
      function paint(set, at) {
        const label = content.labels[set.images[at]];
        if (colour.value === "pattern") return content.patternColours[set.patterns[label]];
        if (colour.value === "rank") return mixed(set.ranks[at] / set.sizes[label]);
        return content.colours[label % content.colours.length];
      }
      function shape(label, x, y, size) {
        const kind = marks[colour.value === "class" ? Math.floor(label / content.colours.length) % marks.length : 0];
        if (kind === "circle") return svg("circle", {cx: x, cy: y, r: size});
        if (kind === "square") return svg("rect", {x: x - size, y: y - size, width: 2 * size, height: 2 * size});
        return svg("path", {d: `M${x} ${y - size * 1.3}L${x + size * 1.3} ${y}L${x} ${y + size * 1.3}L${x - size * 1.3} ${y}Z`});
      }
      function picture(name, kind, label) {
        const span = document.createElement("span");
        span.className = "kstar-picture " + kind;
        span.title = `${content.classes[label]}: ${name}`;
        fill(span, name);
        return span;
      }
      function text(tag, words, kind) {
        const made = document.createElement(tag);
        made.textContent = words;
        if (kind) made.className = kind;
        return made;
      }
      function heading(set, at) {
        const image = set.images[at], label = content.labels[image];
        return [
          picture(content.images[image], "own large", label),
          text("p", content.classes[label], "kstar-class"),
          text("p", `k* ${set.ranks[at]} of ${set.sizes[label]}; the class is ${set.patterns[label]}`, "quiet"),
        ];
      }
      let chosen = null, points = [];
      function show(set, at, whole) {
        const parts = heading(set, at);
        if (whole) {
          const label = content.labels[set.images[at]], row = document.createElement("div");
          row.className = "kstar-chain";
          for (const other of set.chains[at]) {
            const same = content.labels[other] === label;
            row.append(picture(content.images[other], same ? "same" : "other", content.labels[other]));
          }
          const breaker = set.breakers[at], shown = set.chains[at].length;
          if (!set.chains[at].includes(breaker)) {
            row.append(text("span", "…", "quiet"), picture(content.images[breaker], "other", content.labels[breaker]));
          }
          parts.push(row, text("p", `Broken by ${content.classes[content.labels[breaker]]}, neighbour ${set.ranks[at]}`
            + (set.ranks[at] > shown ? `; ${shown} of the ${set.ranks[at] - 1} before are shown.` : "."), "quiet"));
        }
        side.replaceChildren(...parts);
      }
      function choose(set, at) {
        chosen = at;
        points.forEach(({mark}, place) => mark.classList.toggle("chosen", place === at));
        const near = new Set([...set.chains[at], set.breakers[at]]);
        points.forEach(({mark}, place) => mark.classList.toggle("near", near.has(set.images[place])));
        show(set, at, true);
      }
      const invitation = side.textContent;
      function draw() {
        const set = content.spaces[Number(space.value)];
        const wished = layout ? layout.value : "pca";
        const map = set.layouts.find(one => one.key === wished) ?? set.layouts[0];
        note.textContent = [map.note, set.lack, set.note].filter(Boolean).join(" ");
        // Nobody is chosen: what was said of somebody is of another space, or of who is hidden now.
        side.replaceChildren(invitation);
        plane.classList.toggle("ranked", colour.value === "rank");
        const ends = [0, 1].map(i => map.points.map(point => point[i])).map(list => [Math.min(...list), Math.max(...list)]);
        const scale = Math.min(...ends.map(([low, high], i) => ([width, height][i] - 2 * margin) / (high - low || 1)));
        const centre = ends.map(([low, high]) => (low + high) / 2);
        const box = svg("svg", {viewBox: `0 0 ${width} ${height}`, role: "group",
          "aria-label": `Map of ${set.images.length} images; the arrow keys go from one to the next`, tabindex: "0"});
        points = map.points.map((point, at) => {
          const label = content.labels[set.images[at]];
          const x = width / 2 + (point[0] - centre[0]) * scale, y = height / 2 - (point[1] - centre[1]) * scale;
          const mark = shape(label, x, y, 4);
          mark.setAttribute("fill", paint(set, at));
          const hidden = only.value !== "" && Number(only.value) !== label;
          if (hidden) mark.classList.add("hidden");
          box.append(mark);
          return {x, y, mark, hidden};
        });
        const nearest = event => {
          const frame = box.getBoundingClientRect();
          const x = (event.clientX - frame.left) * width / frame.width, y = (event.clientY - frame.top) * height / frame.height;
          let best = null, distance = 18 * 18;
          points.forEach((point, at) => {
            const now = (point.x - x) ** 2 + (point.y - y) ** 2;
            if (!point.hidden && now < distance) { best = at; distance = now; }
          });
          return best;
        };
        box.addEventListener("pointermove", event => {
          const at = nearest(event);
          box.style.cursor = at === null ? "default" : "pointer";
          if (at !== null && at !== chosen) show(set, at, false);
          else if (chosen !== null) show(set, chosen, true);
        });
        box.addEventListener("pointerleave", () => { if (chosen !== null) show(set, chosen, true); });
        box.addEventListener("click", event => {
          const at = nearest(event);
          if (at !== null) return choose(set, at);
          chosen = null;
          side.replaceChildren(invitation);
          points.forEach(({mark}) => mark.classList.remove("chosen", "near"));
        });
        box.addEventListener("keydown", event => {
          const step = {ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1}[event.key];
          if (!step) return;
          event.preventDefault();
          let at = chosen ?? -step;
          for (let tries = 0; tries < points.length; tries++) {
            at = (at + step + points.length) % points.length;
            if (!points[at].hidden) return choose(set, at);
          }
        });
        plane.replaceChildren(box, legend(set));
      }
      function legend(set) {
        const row = document.createElement("div");
        row.className = "kstar-legend";
        const entry = (words, fill, label) => {
          const item = text("span", "");
          const box = svg("svg", {viewBox: "0 0 12 12", class: "mark"});
          const mark = shape(label, 6, 6, 4);
          mark.setAttribute("fill", fill);
          box.append(mark);
          item.append(box, words);
          row.append(item);
        };
        if (colour.value === "rank") {
          for (const share of [0, 0.25, 0.5, 0.75, 1]) entry(share === 0 ? "0: soon another class" : share === 1 ? "1: the whole class first" : String(share), mixed(share), 0);
        } else if (colour.value === "pattern") {
          for (const [name, fill] of Object.entries(content.patternColours))
            if (set.patterns.includes(name)) entry(name, fill, 0);
        } else if (content.classes.length <= content.colours.length * marks.length) {
          content.classes.forEach((name, label) => entry(name, content.colours[label % content.colours.length], label));
        } else {
          row.append(`${content.classes.length} classes: colours and shapes come again after ${content.colours.length * marks.length}. Point at an image to read its class.`);
        }
        return row;
      }
      for (const control of [space, colour, only, layout].filter(Boolean)) control.addEventListener("change", () => {
        const kept = control === space ? null : chosen;
        chosen = null;
        draw();
        if (kept !== null && !points[kept].hidden) choose(content.spaces[Number(space.value)], kept);
      });
      draw();
    })();
    """#

  /// What the map and the rows of pictures look like.
  static let style: StaticString = """
    .kstar-map { display: grid; grid-template-columns: minmax(0, 1fr) 15rem; gap: .5rem 1.5rem; }
    @media (max-width: 48rem) { .kstar-map { grid-template-columns: 1fr; } }
    .kstar-controls { grid-column: 1 / -1; display: flex; flex-wrap: wrap; gap: .4rem 1.2rem; font-size: .875rem;
      color: var(--quiet); }
    .kstar-controls select { font: inherit; color: var(--ink); background: var(--paper); border: 1px solid var(--line);
      border-radius: 4px; padding: .15rem .3rem; max-width: 18rem; }
    .kstar-plane > svg { display: block; width: 100%; height: auto; border: 1px solid var(--line); border-radius: 4px; }
    .kstar-plane > svg > * { opacity: .8; } .kstar-plane .hidden { opacity: .06; }
    .kstar-plane.ranked > svg > * { stroke: var(--quiet); stroke-width: .8; opacity: 1; }
    .kstar-plane.ranked .hidden { opacity: .06; }
    .kstar-plane > svg > .near { stroke: var(--ink); stroke-width: 1.5; opacity: 1; }
    .kstar-plane > svg > .chosen { stroke: var(--ink); stroke-width: 3; opacity: 1; }
    .kstar-legend { display: flex; flex-wrap: wrap; gap: .1rem .9rem; font-size: .75rem; color: var(--quiet);
      margin-top: .4rem; }
    .kstar-legend .mark { margin-right: .3rem; }
    .kstar-map, .kstar-concept { overflow-wrap: anywhere; min-width: 0; } .kstar-legend span { max-width: 18rem; }
    .kstar-side { min-width: 0; font-size: .875rem; color: var(--quiet); min-height: 18rem; } .kstar-side p { margin: .2rem 0; }
    .kstar-side .kstar-class { color: var(--ink); font-weight: 600; }
    .kstar-concept { margin: .75rem 0 1.1rem; } .kstar-concept p { margin: 0 0 .3rem; max-width: none; }
    .kstar-chain { display: flex; flex-wrap: wrap; gap: .25rem; align-items: center; margin: .25rem 0; }
    .kstar-rank { font-size: .75rem; color: var(--quiet); width: 3.2rem; }
    .kstar-picture { display: inline-flex; width: 46px; height: 46px; border: 2px solid var(--line); border-radius: 4px;
      overflow: hidden; align-items: center; justify-content: center; background: #fff; }
    .kstar-picture img { width: 100%; height: 100%; object-fit: contain; display: block; }
    .kstar-picture.own { border-color: var(--ink); } .kstar-picture.other { border-color: #D55E00; border-style: dashed; }
    .kstar-picture.large { width: 96px; height: 96px; }
    .kstar-picture.missing { background: var(--tint); color: var(--quiet); font-size: .5625rem; line-height: 1.1;
      overflow-wrap: anywhere; padding: 1px; }
    """
}
