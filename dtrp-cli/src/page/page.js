"use strict";
(() => {
  const main = document.querySelector("main"), tip = document.getElementById("tip"), root = document.documentElement;
  const hidden = new Set(), logs = new Set();
  const number = v => {
    const a = Math.abs(v);
    return a !== 0 && (a < 1e-3 || a >= 1e6) ? v.toExponential(2) : String(+v.toPrecision(4));
  };
  const variable = colour => `var(--c${colour.slice(1)})`;

  // What was switched off, and which axes are logarithmic, also after new figures have come.
  const apply = () => {
    for (const chip of main.querySelectorAll(".chip")) chip.setAttribute("aria-pressed", String(!hidden.has(chip.dataset.colour)));
    for (const mark of main.querySelectorAll(".runs svg [stroke], .runs svg [fill]")) {
      const off = hidden.has(mark.getAttribute("stroke")) || hidden.has(mark.getAttribute("fill"));
      mark.style.visibility = off ? "hidden" : "";
    }
    for (const button of main.querySelectorAll(".log")) {
      const card = button.closest("figure"), plots = card.querySelectorAll(".plot"), on = logs.has(card.id);
      button.setAttribute("aria-pressed", String(on));
      button.hidden = plots.length < 2;
      if (plots.length > 1) { plots[0].hidden = on; plots[1].hidden = !on; }
    }
  };
  main.addEventListener("click", event => {
    const button = event.target.closest("button");
    if (!button) return;
    const [set, key] = button.classList.contains("chip") ? [hidden, button.dataset.colour] : [logs, button.closest("figure").id];
    if (!set.delete(key)) set.add(key);
    apply();
  });

  const data = plot => {
    if (!plot.facts) plot.facts = JSON.parse(plot.querySelector("script").textContent);
    return plot.facts;
  };
  const say = (event, lines) => {
    tip.replaceChildren(...lines);
    tip.hidden = false;
    const box = tip.getBoundingClientRect();
    const left = event.clientX + 14 + box.width > innerWidth ? event.clientX - 14 - box.width : event.clientX + 14;
    tip.style.left = `${Math.max(4, left)}px`;
    tip.style.top = `${Math.max(4, Math.min(event.clientY + 14, innerHeight - box.height - 4))}px`;
  };
  const line = (text, colour) => {
    const row = document.createElement("div");
    if (colour) row.appendChild(document.createElement("i")).style.background = variable(colour);
    row.append(text);
    return row;
  };
  const cross = (svg, frame, x) => {
    let mark = svg.querySelector(".cross");
    if (!mark) {
      mark = svg.appendChild(document.createElementNS(svg.namespaceURI, "line"));
      mark.setAttribute("class", "cross");
    }
    for (const [name, value] of [["x1", x], ["x2", x], ["y1", frame[1]], ["y2", frame[3]]]) mark.setAttribute(name, value);
  };
  const leave = () => {
    tip.hidden = true;
    for (const mark of main.querySelectorAll(".cross")) mark.remove();
  };
  main.addEventListener("pointermove", event => {
    const plot = event.target.closest(".plot");
    if (!plot || !plot.querySelector("script")) return leave();
    const svg = plot.querySelector("svg"), box = svg.getBoundingClientRect(), view = svg.viewBox.baseVal;
    const px = (event.clientX - box.left) / box.width * view.width, py = (event.clientY - box.top) / box.height * view.height;
    const facts = data(plot);
    if (facts.boxes) {
      const found = facts.boxes.find(([l, t, r, b]) => px >= l && px <= r && py >= t && py <= b);
      return found ? say(event, [line(found[4])]) : leave();
    }
    const [left, top, right, bottom] = facts.frame;
    if (px < left - 20 || px > right + 20 || py < top || py > bottom) return leave();
    const at = facts.x[0] + (px - left) / (right - left) * (facts.x[1] - facts.x[0]);
    const toggled = plot.closest(".runs");
    let nearest = null;
    const shown = facts.series.filter(s => s.points.length && !(toggled && hidden.has(s.colour)));
    const near = shown.map(s => {
      const point = s.points.reduce((a, b) => Math.abs(b[0] - at) < Math.abs(a[0] - at) ? b : a);
      if (nearest === null || Math.abs(point[0] - at) < Math.abs(nearest - at)) nearest = point[0];
      return [s, point];
    });
    if (nearest === null) return leave();
    cross(svg, facts.frame, left + (nearest - facts.x[0]) / (facts.x[1] - facts.x[0]) * (right - left));
    const rows = near.map(([s, p]) => line(`${s.name}: ${number(p[1])}${p[2] === null ? "" : ` ± ${number(p[2])}`}`, s.colour));
    say(event, [line(`${facts.names[0]} ${number(nearest)}`), ...rows]);
  });
  main.addEventListener("pointerleave", leave);
  addEventListener("scroll", leave, { passive: true });
  apply();
  root.dataset.ready = "yes";

  // Served while runs go on: a new body whenever there is one.
  if (!root.dataset.live) return;
  const told = document.createElement("div");
  told.id = "live";
  told.setAttribute("role", "status");
  document.body.insertBefore(told, main);
  let version = root.dataset.live;
  const ask = async () => {
    let wait = 2000;
    try {
      const answer = await fetch(`body?${version}`, { cache: "no-store" });
      if (answer.status === 200) {
        const open = [...main.querySelectorAll("details[open]")].map(part => part.id);
        const text = await answer.text();
        version = answer.headers.get("X-Version");
        leave();
        main.innerHTML = text;
        for (const id of open) document.getElementById(id)?.setAttribute("open", "");
        apply();
      } else if (answer.status !== 204) {
        throw new Error(answer.statusText);
      }
      const ended = answer.headers.get("X-Ended") === "yes";
      told.textContent = ended ? "ended" : "live";
      root.dataset.state = told.textContent;
      if (ended) wait = 15000;
    } catch {
      told.textContent = "no connection to dtrp watch";
      wait = 5000;
    }
    setTimeout(ask, wait);
  };
  ask();
})();
