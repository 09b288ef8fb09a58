// The page is complete without this script. It adds search, copy buttons, relative times, and live updates.
// One long file, because it is put into the page as it is: no build step, no further request.
const main = document.querySelector("#services");
const find = document.querySelector("#find");
const none = document.querySelector("#none");
const fresh = document.querySelector("#fresh");
const said = document.querySelector("#said");
const style = document.querySelector("style");
const zone = document.querySelector("footer code")?.textContent ?? "";
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
  const name = nameOf(row);
  const address = row.querySelector(":scope > code");
  if (address === null) return;
  const time = row.querySelector("time");
  if (time !== null) {
    if (!time.dateTime) time.dateTime = time.textContent.replace(" ", "T");
    time.title = exactly.format(new Date(time.dateTime));
    sayTime(time);
  }
  name.after(copyButton("name", name.textContent));
  address.append(copyButton("address", address.textContent));
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
    const names = row.querySelector("u")?.textContent.slice("also ".length).split(", ") ?? [];
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

document.addEventListener("click", async ({ target }) => {
  const text = target.dataset?.copy;
  if (text === undefined) return;
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

// Search: every word must be in the row. The query is kept in the address bar.
function filter() {
  const terms = find.value
    .toLowerCase()
    .replaceAll(/\s:(?=\d)/g, " ")
    .split(/\s+/)
    .filter(Boolean);
  let hits = 0;
  for (const section of main.children) {
    let any = terms.length === 0;
    for (const row of section.querySelectorAll("li")) {
      const hit = terms.every((term) => wordsOf(row).includes(term));
      if (row.hidden === hit) row.hidden = !hit;
      if (hit) hits += 1;
      any ||= hit;
    }
    section.hidden = !any;
  }
  none.hidden = terms.length === 0 || hits > 0;
  return hits;
}

function search(query) {
  if (find.value !== query) find.value = query;
  const hits = filter();
  const url = new URL(location.href);
  if (query === "") url.searchParams.delete("q");
  else url.searchParams.set("q", query);
  if (url.href !== location.href) history.replaceState(null, "", url);
  if (query !== "") say(hits === 1 ? "1 service found" : `${hits} services found`);
}

const targets = () => [...main.querySelectorAll("li:not([hidden]) > p > a[href]")];

find.addEventListener("input", () => search(find.value));
find.form.addEventListener("submit", (event) => {
  event.preventDefault();
  if (find.value !== "") targets()[0]?.click();
});
none.querySelector("button").addEventListener("click", () => {
  search("");
  find.focus();
});
document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const typing = event.target === find;
  if (event.key === "/" && !typing) {
    event.preventDefault();
    find.focus();
    find.select();
  } else if (event.key === "Escape") {
    if (find.value === "") find.blur();
    else search("");
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
  const text =
    time.className !== "until"
      ? `up ${ago(seconds)}`
      : seconds < 0
        ? `address reserved for ${ago(-seconds)}`
        : "address free again";
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
    if (reply.ok) update(new DOMParser().parseFromString(await reply.text(), "text/html"));
  } catch {
    // the stream or the next poll tries again
  }
  fetching = false;
  if (again) {
    again = false;
    refresh();
  }
}

function update(page) {
  const next = page.documentElement.dataset.version;
  if (next === version() || page.querySelector("#services") === null) return;
  if (page.querySelector("script")?.text !== document.querySelector("script")?.text) return location.reload();
  document.documentElement.dataset.version = next;
  document.title = page.title;
  document.querySelector("h1").textContent = page.querySelector("h1").textContent;
  document.querySelector("#summary").replaceChildren(...page.querySelector("#summary").childNodes);
  if (page.querySelector("style").textContent !== style.textContent) {
    // a new icon; a sheet made by the script needs no hash in the Content-Security-Policy
    const sheet = new CSSStyleSheet();
    sheet.replaceSync(page.querySelector("style").textContent);
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

const query = new URLSearchParams(location.search).get("q") ?? "";
if (query !== "") search(query);
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
