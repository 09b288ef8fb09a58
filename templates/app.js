// The page is complete without this script. It adds search, copy buttons, relative times, and live updates.
// One long file, because it is put into the page as it is: no build step, no further request.
const main = document.querySelector("#services");
const find = document.querySelector("#find");
const none = document.querySelector("#none");
const fresh = document.querySelector("#fresh");
const said = document.querySelector("#said");
const style = document.querySelector("style");
const hits = document.querySelector("#hits");
const compact = document.querySelector("#compact");
const zone = document.querySelector("#zone, footer code")?.textContent ?? "";
const rowsOf = (place) => [...place.querySelectorAll("li")];
const nameOf = (row) => row.querySelector("p > a");

const exactly = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });

// Rows: their original markup, and the text that the search compares.
const pristine = new WeakMap();
const words = new WeakMap();

function source(row) {
  if (!pristine.has(row)) pristine.set(row, row.outerHTML);
  return pristine.get(row);
}

function dress(row) {
  if (pristine.has(row)) return;
  source(row);
  const title = nameOf(row);
  const address = row.querySelector(":scope > code");
  if (address === null) return;
  // when it was validated and monitored
  for (const span of row.querySelectorAll("em small > span")) {
    const time = document.createElement("time");
    time.className = "ago";
    time.textContent = span.textContent;
    span.replaceWith(time);
  }
  for (const time of row.querySelectorAll("time")) {
    if (!time.dateTime) time.dateTime = time.textContent.replace(" ", "T");
    time.title = exactly.format(new Date(time.dateTime));
    sayTime(time);
  }
  const name = `${row.id.slice(2)}.${zone}`;
  title.title = name;
  title.after(copyButton("name", name));
  address.append(copyButton("address", address.textContent));
  if (!row.matches(".off")) for (const port of row.querySelectorAll("div > span")) dressPort(port, name);
}

// A port that is no link: a click copies what a client program asks for.
function dressPort(port, name) {
  const number = /^\d+/.exec(port.textContent)?.[0];
  if (number === undefined) return;
  const button = document.createElement("button");
  button.type = "button";
  button.dataset.copy = `${name}:${number}`;
  button.title = `Copy ${button.dataset.copy}`;
  button.append(...port.childNodes);
  port.replaceWith(button);
}

// Rows in the window first, the others when the browser is idle.
function dressAll() {
  const rows = rowsOf(main);
  for (const row of rows.splice(0, 40)) dress(row);
  const later = window.requestIdleCallback ?? ((work) => setTimeout(work, 50));
  const more = () => {
    for (const row of rows.splice(0, 40)) dress(row);
    if (rows.length > 0) later(more);
  };
  if (rows.length > 0) later(more);
}

function wordsOf(row) {
  let text = words.get(row);
  if (text === undefined) {
    const also = [row.querySelector("p").title, row.querySelector("u")?.textContent ?? ""];
    const names = also.flatMap((list) => list.replace(/^also /, "").split(", ")).filter(Boolean);
    if (row.id !== "") names.push(row.id.slice(2));
    const group = row.closest("section").querySelector("h2").textContent;
    const image = row.querySelector("samp")?.title ?? "";
    text = [row.textContent, image, group, ...names.map((name) => `${name}.${zone}`)].join(" ").toLowerCase();
    words.set(row, text);
  }
  return text;
}

function copyButton(what, text) {
  const button = document.createElement("button");
  button.type = "button";
  button.className = "copy";
  button.dataset.copy = text;
  button.title = `Copy ${what}`;
  button.setAttribute("aria-label", `Copy ${what} ${text}`);
  return button;
}

document.addEventListener("click", async (event) => {
  const target = event.target.closest?.("[data-copy]");
  if (!target) return;
  const text = target.dataset.copy;
  const done = await copy(text);
  target.classList.toggle("done", done);
  say(done ? `Copied ${text}` : "Copying is not allowed here");
  setTimeout(() => target.classList.remove("done"), 1500);
});

// The Clipboard API exists on https only; this page is mostly served without.
async function copy(text) {
  if (navigator.clipboard !== undefined) {
    try {
      await navigator.clipboard.writeText(text);
      return true;
    } catch {
      // not allowed: try the older way
    }
  }
  const before = document.activeElement;
  const field = document.createElement("textarea");
  field.value = text;
  said.append(field);
  field.select();
  const done = document.execCommand("copy");
  field.remove();
  before?.focus({ preventScroll: true });
  return done;
}

function say(text) {
  said.textContent = text;
}

// Search: every word must be in the row, and the row in the chosen state. Both are kept in the address bar.
let state = "";
const isIn = (row) =>
  state === "" ||
  (row.closest(".attention") !== null ? state === "attention" : row.classList.contains(state));

function filter() {
  const terms = find.value
    .toLowerCase()
    .replaceAll(/\s:(?=\d)/g, " ")
    .split(/\s+/)
    .filter(Boolean);
  const everything = terms.length === 0 && state === "";
  let shown = 0;
  let all = 0;
  for (const section of main.children) {
    let any = everything;
    for (const row of section.querySelectorAll("li")) {
      const hit = isIn(row) && terms.every((term) => wordsOf(row).includes(term));
      if (row.hidden === hit) row.hidden = !hit;
      all += 1;
      if (hit) shown += 1;
      any ||= hit;
    }
    section.hidden = !any;
    fold(section, everything);
  }
  none.hidden = everything || shown > 0;
  if (hits !== null) hits.textContent = everything ? "" : `${shown} of ${all}`;
  return shown;
}

function search(query, wanted = state) {
  if (find.value !== query) find.value = query;
  state = wanted;
  showStates();
  const shown = filter();
  const url = new URL(location.href);
  for (const [key, value] of Object.entries({ q: query, state })) {
    if (value === "") url.searchParams.delete(key);
    else url.searchParams.set(key, value);
  }
  if (url.href !== location.href) history.replaceState(null, "", url);
  if (query !== "" || state !== "") say(shown === 1 ? "1 service found" : `${shown} services found`);
}

// The counts of states: each is a button that filters.
function showStates() {
  for (const part of document.querySelectorAll("[data-state]")) {
    if (part.tagName !== "BUTTON") {
      const button = document.createElement("button");
      button.type = "button";
      button.dataset.state = part.dataset.state;
      button.textContent = part.textContent;
      // the comma before it
      part.previousSibling?.nodeType === Node.TEXT_NODE && part.previousSibling.remove();
      part.replaceWith(button);
    }
  }
  for (const button of document.querySelectorAll("button[data-state]"))
    button.setAttribute("aria-pressed", button.dataset.state === state);
  // a state that has no count any more can be left
  if (state !== "" && !document.querySelector(`button[data-state="${CSS.escape(state)}"]`)) state = "";
}

document.addEventListener("click", ({ target }) => {
  const chosen = target.closest?.("button[data-state]")?.dataset.state;
  if (chosen !== undefined) search(find.value, chosen === state ? "" : chosen);
});

// What a visitor has chosen, in this browser. It may refuse to store anything.
function stored(key) {
  try {
    return JSON.parse(localStorage.getItem(key) ?? "null");
  } catch {
    return null;
  }
}

function store(key, value) {
  try {
    localStorage.setItem(key, JSON.stringify(value));
  } catch {
    // it holds for this page
  }
}

const folded = new Set(Array.isArray(stored("folded")) ? stored("folded") : []);
const headingOf = (section) => section.querySelector("h2")?.textContent ?? "";

// A group that is folded opens while something is searched for.
function fold(section, everything) {
  const details = section.querySelector("details");
  if (details === null) return;
  const open = !everything || !folded.has(headingOf(section));
  if (details.open !== open) details.open = open;
}

main.addEventListener("click", ({ target }) => {
  const details = target.closest("summary")?.parentElement;
  if (!details || find.value !== "" || state !== "") return;
  const heading = headingOf(details.parentElement);
  // before the click changes it
  if (details.open) folded.add(heading);
  else folded.delete(heading);
  store("folded", [...folded]);
});

if (compact !== null) {
  compact.checked = stored("compact") === true;
  compact.addEventListener("change", () => store("compact", compact.checked));
}

// The list of groups closes when one is chosen, and when something else is clicked.
document.addEventListener("click", ({ target }) => {
  const list = document.querySelector("#groups details[open]");
  if (list === null || (list.contains(target) && target.closest("a") === null)) return;
  list.open = false;
  const section = document.getElementById(target.closest("#groups a")?.hash.slice(1) ?? "");
  if (section === null) return;
  folded.delete(headingOf(section));
  store("folded", [...folded]);
  search("", "");
});

const targets = () => [...main.querySelectorAll("details[open] li:not([hidden]) > p > a[href]")];

find.addEventListener("input", () => search(find.value));
find.form.addEventListener("submit", (event) => {
  event.preventDefault();
  if (find.value !== "") targets()[0]?.click();
});
none.querySelector("button").addEventListener("click", () => {
  search("", "");
  find.focus();
});
document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const typing = event.target === find;
  if (event.key === "/" && !typing) {
    event.preventDefault();
    find.focus();
    find.select();
  } else if (event.key === "?" && !typing) {
    document.querySelector("#help")?.scrollIntoView();
  } else if (event.key === "Escape") {
    const list = document.querySelector("#groups details[open]");
    if (list !== null) list.open = false;
    else if (find.value === "" && state === "") find.blur();
    else search("", "");
  } else if (event.key === "ArrowDown" || event.key === "ArrowUp") {
    const row = document.activeElement?.closest("li");
    // elsewhere the arrow keys scroll
    if (!typing && !row) return;
    const all = targets();
    const here = row ? all.indexOf(nameOf(row)) : -1;
    const next = event.key === "ArrowDown" ? here + 1 : here - 1;
    if (next >= all.length || (typing && event.key === "ArrowUp")) return;
    event.preventDefault();
    if (next < 0) find.focus();
    else all[next].focus();
  }
});

// Durations in words.
function ago(seconds) {
  if (seconds < 90) return `${Math.max(Math.round(seconds), 0)} s`;
  if (seconds < 5_400) return `${Math.round(seconds / 60)} min`;
  if (seconds < 129_600) return `${Math.round(seconds / 3_600)} h`;
  return `${Math.round(seconds / 86_400)} days`;
}

function sayTime(time) {
  const seconds = (Date.now() - Date.parse(time.dateTime)) / 1000;
  const kinds = {
    ago: () => `${ago(seconds)} ago`,
    until: () => (seconds < 0 ? `address reserved for ${ago(-seconds)}` : "address free again"),
  };
  const text = kinds[time.className]?.() ?? `up ${ago(seconds)}`;
  if (time.textContent !== text) time.textContent = text;
}

function sayTimes() {
  for (const time of main.querySelectorAll("time[title]")) sayTime(time);
}

// How recent the list is. `lastRun` in seconds since the epoch.
const known = { lastRun: null, staleAfter: 900, silentSince: null };

function sayFresh() {
  if (known.silentSince !== null && Date.now() - known.silentSince > 8_000)
    return showFresh("No connection to the server; this list may be out of date.", true);
  if (known.lastRun === null) return;
  const age = Date.now() / 1000 - known.lastRun;
  if (age > known.staleAfter)
    return showFresh(`Last updated ${ago(age)} ago; this list may be out of date.`, true);
  // a clock was set back, or this computer's is wrong
  if (-age > known.staleAfter)
    return showFresh("Last updated in the future, by this clock; this list may be out of date.", true);
  showFresh(`Updated ${ago(age)} ago`, false);
}

function showFresh(text, stale) {
  if (fresh.textContent !== text) fresh.textContent = text;
  fresh.classList.toggle("stale", stale);
}

// Updates: the page is fetched again, and the rows that differ are replaced. The server's page is the only source.
const version = () => document.documentElement.dataset.version;
let fetching = false;
let again = false;

async function refresh() {
  if (fetching) {
    again = true;
    return;
  }
  fetching = true;
  try {
    const reply = await fetch(location.pathname, { cache: "no-cache" });
    if (reply.ok) update(await reply.text());
  } catch {
    // the stream or the next poll tries again
  }
  fetching = false;
  if (again) {
    again = false;
    refresh();
  }
}

function replace(id, page) {
  const [now, next] = [document.querySelector(id), page.querySelector(id)];
  if (now !== null && next !== null && source(now) !== source(next)) {
    const open = now.querySelector("details[open]") !== null;
    now.replaceChildren(...next.childNodes);
    pristine.set(now, source(next));
    if (open) now.querySelector("details")?.setAttribute("open", "");
  }
}

function update(text) {
  // a parsed style element is checked against the Content-Security-Policy, which has the hash of this page's own only
  const inHead = /<style>([\s\S]*?)<\/style>/;
  const css = inHead.exec(text)?.[1];
  const page = new DOMParser().parseFromString(text.replace(inHead, ""), "text/html");
  const next = page.documentElement.dataset.version;
  if (next === version() || page.querySelector("#services") === null) return;
  if (page.querySelector("script")?.text !== document.querySelector("script")?.text) return location.reload();
  document.documentElement.dataset.version = next;
  document.title = page.title;
  document.querySelector("h1").textContent = page.querySelector("h1").textContent;
  for (const id of ["#summary", "#counts", "#range", "#groups"]) replace(id, page);
  if (css !== undefined && css !== style.textContent) {
    // a new icon; a sheet made by the script needs no hash in the Content-Security-Policy
    const sheet = new CSSStyleSheet();
    sheet.replaceSync(css);
    document.adoptedStyleSheets = [sheet];
  }
  const held = document.activeElement?.closest("li")?.id;
  const old = new Map(rowsOf(main).map((row) => [row.id || source(row), row]));
  // a group may have the name of a built-in section
  const key = (section) => `${section.className} ${section.querySelector("h2")?.textContent}`;
  const groups = new Map([...main.children].map((section) => [key(section), section]));
  const sections = [...page.querySelector("#services").children].map((section) => {
    const there = groups.get(key(section));
    groups.delete(key(section));
    const list = section.querySelector("ul");
    if (list === null) return there ?? document.adoptNode(section);
    const rows = rowsOf(section).map((row) => {
      const now = old.get(row.id || row.outerHTML);
      if (now !== undefined && source(now) === row.outerHTML) return now;
      document.adoptNode(row).classList.add("fresh");
      return row;
    });
    const place = there?.querySelector("ul") ? there : document.adoptNode(section);
    if (place === there) {
      place.id = section.id;
      place
        .querySelector("summary")
        ?.replaceChildren(...(section.querySelector("summary")?.childNodes ?? []));
    }
    arrange(place.querySelector("ul"), rows);
    return place;
  });
  arrange(main, sections);
  for (const row of main.querySelectorAll("li.fresh")) {
    row.classList.remove("fresh");
    dress(row);
    row.classList.add("new");
  }
  if (held && document.activeElement === document.body)
    nameOf(document.getElementById(held) ?? main)?.focus();
  showStates();
  filter();
}

// Puts the nodes in this order and moves only those in a wrong place.
function arrange(parent, nodes) {
  let at = parent.firstElementChild;
  for (const node of nodes) {
    if (node === at) at = at.nextElementSibling;
    else parent.insertBefore(node, at);
  }
  while (at !== null) {
    const rest = at;
    at = at.nextElementSibling;
    rest.remove();
  }
}

// A hidden page holds no stream: a browser has only six connections for all of its pages here.
let stream;
let poll;

function openStream() {
  stream?.close();
  clearInterval(poll);
  if (document.hidden) return;
  stream = new EventSource("events");
  for (const kind of ["hello", "run", "change"]) stream.addEventListener(kind, onMessage);
  stream.addEventListener("error", () => {
    known.silentSince ??= Date.now();
    // a server without a stream, such as nginx: poll
    if (stream.readyState === EventSource.CLOSED) {
      pollOnce();
      poll = setInterval(pollOnce, 20_000);
    }
  });
}

function onMessage({ type, data }) {
  const news = JSON.parse(data);
  known.silentSince = null;
  known.lastRun = news.lastRun;
  known.staleAfter = news.staleAfter;
  if (news.version !== version()) refresh();
  if (type === "change") {
    const tell = (names, what) => (names.length === 0 ? [] : [`${names.slice(0, 5).join(", ")} ${what}`]);
    const parts = [
      ...tell(news.added, "appeared"),
      ...tell(news.removed, "stopped"),
      ...tell(news.changed, "changed"),
    ];
    if (parts.length > 0) say(parts.join("; "));
  }
  sayFresh();
}

async function pollOnce() {
  await refresh();
  try {
    const reply = await fetch("last-run", { cache: "no-cache" });
    const text = reply.ok ? (await reply.text()).trim() : "";
    if (/^\d+$/.test(text)) known.lastRun = Number(text);
    known.silentSince = null;
  } catch {
    known.silentSince ??= Date.now();
  }
  sayFresh();
}

for (const id of ["#summary", "#counts", "#range", "#groups"]) {
  const part = document.querySelector(id);
  if (part !== null) source(part);
}
const asked = new URLSearchParams(location.search);
state = asked.get("state") ?? "";
showStates();
if (asked.has("q") || state !== "") search(asked.get("q") ?? "");
else if (folded.size > 0) filter();
// not before the first paint; a page in the background has no next frame
await new Promise((painted) => {
  requestAnimationFrame(() => setTimeout(painted));
  setTimeout(painted, 250);
});
dressAll();
openStream();
document.addEventListener("visibilitychange", () => {
  openStream();
  sayTimes();
});
setInterval(sayFresh, 5_000);
setInterval(sayTimes, 30_000);
