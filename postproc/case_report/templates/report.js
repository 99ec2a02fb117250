// The table of all resets: rows are made only as far as the reader scrolls, so that many thousands cost nothing.
"use strict";
(() => {
  const holder = document.getElementById("data");
  const ROWS_AT_ONCE = 60;
  const DATELESS = 7 * 86400; // seconds: text of packets without a date has only times of day
  const LONGEST_CAUSE = 60; // characters in a cell; the evidence has the whole text

  for (const button of document.querySelectorAll("button.copy")) enableCopy(button);
  if (holder === null) return;

  const data = JSON.parse(holder.textContent);
  const total = data.frame.length;
  const text = (column, row) => (data[column][row] < 0 ? "" : data.texts[data[column][row]]);
  const number = (column, row) => data[column][row];
  const VERDICTS = ["genuine", "likely genuine", "unclear", "likely forged", "forged"];
  const rank = data.verdict.map((index) => VERDICTS.indexOf(data.texts[index]));

  // Title, text of a cell, value to sort by, class. Texts are sorted already, so their index is their order.
  const COLUMNS = [
    ["frame", (row) => String(number("frame", row)), (row) => number("frame", row), "number"],
    ["verdict", (row) => text("verdict", row), (row) => rank[row], "verdict"],
    ["suspicion", (row) => String(number("suspicion", row)), (row) => number("suspicion", row), "number"],
    ["time (UTC)", time, (row) => number("time", row), "number"],
    ["capture", (row) => text("capture", row), (row) => data.capture[row], "name"],
    ["named sender", (row) => end("src", "sport", row), (row) => data.src[row], "name"],
    ["to", (row) => end("dst", "dport", row), (row) => data.dst[row], "name"],
    ["hop limit", (row) => String(number("hop_limit", row)), (row) => number("hop_limit", row), "number"],
    ["usual", (row) => known(number("hop_baseline", row)), (row) => number("hop_baseline", row) ?? -1, "number"],
    ["silence", (row) => duration(number("silence_us", row)), (row) => number("silence_us", row) ?? -1, "number"],
    ["ended it", ended, (row) => Number(number("ended_connection", row) ?? -1), ""],
    ["origin", (row) => text("origin", row), (row) => data.origin[row], ""],
    ["cause or device", cause, (row) => data.cause[row], "cause"],
  ].filter(([title]) => title !== "capture" || new Set(data.capture).size > 1);
  const titled = (title) => COLUMNS.findIndex((column) => column[0] === title);

  const body = document.getElementById("body");
  const head = document.getElementById("head");
  const more = document.getElementById("more");
  const count = document.getElementById("count");
  const search = document.getElementById("search");
  const boxes = [...document.querySelectorAll("#controls input[type=checkbox]")];
  let haystacks = null; // the text of each row in lower case, made for the first search
  let order = Uint32Array.from({ length: total }, (_, row) => row);
  let chosen = order;
  let shown = 0;
  let sorted = { column: -1, down: false };

  function element(name, className, content) {
    const made = document.createElement(name);
    if (className) made.className = className;
    if (content !== undefined) made.textContent = content;
    return made;
  }

  function known(value) {
    return value === null ? "" : String(value);
  }

  function time(row) {
    const moment = new Date(number("time", row) * 1000);
    if (Number.isNaN(moment.getTime())) return String(number("time", row));
    const written = moment.toISOString().replace("T", " ").slice(0, -1);
    return number("time", row) >= 0 && number("time", row) < DATELESS ? written.slice(11) : written;
  }

  function end(address, port, row) {
    return `${text(address, row)} port ${number(port, row)}`;
  }

  function duration(us) {
    if (us === null) return "";
    if (us < 1000) return `${us} µs`;
    return us < 1000000 ? `${(us / 1000).toPrecision(3)} ms` : `${Number((us / 1000000).toPrecision(4))} s`;
  }

  function ended(row) {
    const value = number("ended_connection", row);
    return value === null ? "" : value ? "yes" : "no";
  }

  function cause(row) {
    const words = text("cause", row) || text("device", row);
    return words.length > LONGEST_CAUSE ? `${words.slice(0, LONGEST_CAUSE)}...` : words;
  }

  function matches(row, words) {
    return words.every((word) => haystacks[row].includes(word));
  }

  function fillHaystacks() {
    const columns = ["capture", "src", "dst", "verdict", "origin", "cause", "device", "where", "reason", "stage", "flow"];
    haystacks = Array.from({ length: total }, (_, row) =>
      [
        ...columns.map((column) => text(column, row)),
        ...data.evidence[row].map((index) => data.texts[index]),
        `frame ${number("frame", row)} port ${number("sport", row)} port ${number("dport", row)}`,
      ].join(" ").toLowerCase(),
    );
  }

  function choose() {
    const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    if (words.length > 0 && haystacks === null) fillHaystacks();
    // Texts are compared by their index: no row makes a new text.
    const wanted = (name) => new Set(boxes.filter((box) => box.name === name && box.checked).map((box) => box.index));
    const verdicts = wanted("verdict");
    const kinds = wanted("kind");
    chosen = order.filter(
      (row) =>
        verdicts.has(data.verdict[row]) && kinds.has(data.kind[row]) && (words.length === 0 || matches(row, words)),
    );
    count.textContent = `${chosen.length.toLocaleString("en")} of ${total.toLocaleString("en")} rows`;
    document.getElementById("table").setAttribute("aria-rowcount", String(chosen.length + 1));
    body.replaceChildren();
    shown = 0;
    showMore();
  }

  function sortBy(column) {
    const down = sorted.column === column ? !sorted.down : column === titled("verdict") || column === titled("suspicion");
    const value = COLUMNS[column][2];
    const values = Float64Array.from({ length: total }, (_, row) => value(row));
    const sign = down ? -1 : 1;
    order = order.slice().sort((a, b) => sign * (values[a] - values[b]) || a - b);
    sorted = { column, down };
    [...head.children].forEach((cell, index) => {
      if (index === column) cell.setAttribute("aria-sort", down ? "descending" : "ascending");
      else cell.removeAttribute("aria-sort");
    });
    choose();
  }

  function showMore() {
    const rows = document.createDocumentFragment();
    const stop = Math.min(shown + ROWS_AT_ONCE, chosen.length);
    for (; shown < stop; shown += 1) rows.append(rowOf(chosen[shown], shown));
    body.append(rows);
    more.hidden = shown >= chosen.length;
  }

  function rowOf(row, place) {
    const made = element("tr");
    made.setAttribute("aria-rowindex", String(place + 2));
    for (const [title, content, , className] of COLUMNS) {
      const words = content(row);
      const cell = element("td", className === "verdict" ? "" : className, className === "verdict" ? undefined : words);
      if (className === "verdict") cell.append(element("span", `verdict ${words.replace(" ", "-")}`, words));
      if (title === "frame") cell.replaceChildren(unfolder(row, words));
      made.append(cell);
    }
    return made;
  }

  function unfolder(row, frame) {
    const button = element("button", "", frame);
    button.type = "button";
    button.setAttribute("aria-expanded", "false");
    button.setAttribute("aria-label", `Evidence of frame ${frame}`);
    button.addEventListener("click", () => {
      const here = button.closest("tr");
      const open = button.getAttribute("aria-expanded") === "true";
      button.setAttribute("aria-expanded", String(!open));
      if (open) here.nextElementSibling.remove();
      else here.after(evidenceOf(row));
    });
    return button;
  }

  function evidenceOf(row) {
    const made = element("tr", "evidence");
    const cell = element("td");
    cell.colSpan = COLUMNS.length;
    for (const column of ["where", "reason", "rejection", "cause", "device"]) {
      if (text(column, row)) cell.append(element("p", "", `${column}: ${text(column, row)}`));
    }
    const list = element("ul");
    for (const index of data.evidence[row]) list.append(element("li", "", data.texts[index]));
    if (list.children.length > 0) cell.append(list);
    for (const filter of [text("flow", row), `frame.number == ${number("frame", row)}`]) {
      const line = element("p");
      const button = element("button", "copy", "Copy");
      button.type = "button";
      line.append(element("code", "", filter), " ", button);
      enableCopy(button);
      cell.append(line);
    }
    made.append(cell);
    return made;
  }

  COLUMNS.forEach(([title], column) => {
    const cell = element("th");
    cell.scope = "col";
    const button = element("button", "", title);
    button.type = "button";
    button.addEventListener("click", () => sortBy(column));
    cell.append(button);
    head.append(cell);
  });
  const there = { verdict: new Set(data.verdict), kind: new Set(data.kind) };
  for (const box of boxes) {
    box.index = data.texts.indexOf(box.value);
    box.addEventListener("change", choose);
    box.closest("label").hidden = !there[box.name].has(box.index);
  }
  document.querySelector("#controls fieldset:last-of-type").hidden = there.kind.size < 2;
  search.addEventListener("input", choose);
  document.getElementById("controls").addEventListener("submit", (event) => event.preventDefault());
  more.addEventListener("click", showMore);
  const window_ = document.getElementById("window");
  new IntersectionObserver((entries) => entries.some((entry) => entry.isIntersecting) && showMore(), {
    root: window_,
    rootMargin: "600px",
  }).observe(more);
  document.getElementById("controls").hidden = false;
  window_.hidden = false;
  sortBy(titled("suspicion"));

  function enableCopy(button) {
    button.hidden = false;
    button.setAttribute("aria-label", "Copy the filter or command");
    button.addEventListener("click", async () => {
      const words = button.parentElement.querySelector("code").textContent;
      try {
        await navigator.clipboard.writeText(words);
      } catch {
        const field = document.createElement("textarea");
        field.value = words;
        document.body.append(field);
        field.select();
        document.execCommand("copy");
        field.remove();
      }
      button.textContent = "Copied";
    });
  }
})();
