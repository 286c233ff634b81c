// Keeps the page of this screen, and nothing else, so that a television that is switched on without a network has one. The network comes first:
// what was kept is used only where nothing answers, and goes when the host says that there is no such screen.
"use strict";
const PAGES = "gridbell-screen-pages";
const MOST = 4;

addEventListener("install", () => self.skipWaiting());
addEventListener("activate", (event) => event.waitUntil(self.clients.claim()));

const fresh = async (request) => {
  const pages = await caches.open(PAGES);
  let answer;
  try {
    answer = await fetch(request);
  } catch (lost) {
    const kept = await pages.match(request, { ignoreSearch: true });
    if (kept) return kept;
    throw lost;
  }
  if (answer.ok) {
    await pages.put(request, answer.clone());
    const all = await pages.keys();
    for (const old of all.slice(0, Math.max(0, all.length - MOST))) await pages.delete(old);
  } else if (answer.status === 404 || answer.status === 410) {
    await pages.delete(request, { ignoreSearch: true });
  }
  return answer;
};

addEventListener("fetch", (event) => {
  if (event.request.mode === "navigate") event.respondWith(fresh(event.request));
});
