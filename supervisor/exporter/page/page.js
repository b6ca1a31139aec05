// Keeps the page as the server would write it now: what it writes is fetched anew when something happens, and
// every two seconds while somebody looks, for what is no event (connections, ages). Times become local ones.
"use strict";

const every = 2000; // milliseconds
const events = ["serving", "reloaded", "reload-failed", "replaced", "replacement-failed", "taken", "promoted",
  "upgraded", "upgrade-failed",
  "rolled-back", "crashed", "hammered", "gave-up", "stopping", "missed"];
const live = document.getElementById("live");
let since = null; // it is not reached
let fetching = false;
let again = false;
let timer = 0;

function clock(date) {
  const two = (n) => String(n).padStart(2, "0");
  return [date.getHours(), date.getMinutes(), date.getSeconds()].map(two).join(":");
}

function shortClock(date, today) {
  if (date.toDateString() === today) return clock(date);
  return date.toLocaleDateString(undefined, { month: "short", day: "numeric" }) + " " + clock(date).slice(0, 5);
}

function localize(main) {
  const today = new Date().toDateString();
  for (const time of main.querySelectorAll("time")) {
    const date = new Date(time.dateTime);
    const day = date.toDateString() === today ? "" : date.toLocaleDateString() + " ";
    time.title = time.textContent;
    time.textContent = day + clock(date);
  }
  for (const text of main.querySelectorAll("text[data-time]"))
    if (text.textContent !== "now") text.textContent = shortClock(new Date(text.dataset.time), today);
}

// Where the focus is stays where it is, by the address of its link.
function replace(main) {
  const focused = document.activeElement && document.activeElement.getAttribute("href");
  const old = document.querySelector("main");
  localize(main);
  old.replaceWith(main);
  if (!focused || document.activeElement !== document.body) return;
  for (const link of main.querySelectorAll("a"))
    if (link.getAttribute("href") === focused) return link.focus({ preventScroll: true });
}

function reached(yes) {
  if (yes) since = null;
  else if (since === null) since = new Date();
  live.className = yes ? "on" : "off";
  live.textContent = yes ? "live" : "graced-exporter has not answered since " + clock(since) + "; below is what was then";
  document.body.classList.toggle("old", !yes);
}

async function refresh() {
  if (fetching) {
    again = true;
    return;
  }
  fetching = true;
  clearTimeout(timer);
  try {
    const answer = await fetch(location.pathname, { cache: "no-store" });
    if (!answer.ok && answer.status !== 404) throw new Error("status " + answer.status);
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    const main = page.querySelector("main");
    const selection = getSelection();
    // What somebody is about to copy stays.
    if (main && (!selection || selection.isCollapsed)) {
      replace(document.adoptNode(main));
      document.title = page.title;
    }
    reached(true);
  } catch {
    reached(false);
  }
  fetching = false;
  const soon = again;
  again = false;
  timer = setTimeout(refresh, soon ? 0 : every);
}

function follow() {
  const stream = new EventSource("/api/v1/events");
  for (const event of events) stream.addEventListener(event, refresh);
  // Refused (there are too many readers) it does not try by itself.
  stream.onerror = () => {
    if (stream.readyState === EventSource.CLOSED) setTimeout(follow, every);
  };
  return stream;
}

let stream = follow();
document.addEventListener("visibilitychange", () => {
  if (document.hidden) {
    clearTimeout(timer);
    stream.close();
  } else {
    stream = follow();
    refresh();
  }
});
localize(document.querySelector("main"));
refresh();
