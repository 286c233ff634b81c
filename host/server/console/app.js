// Live view and live preview. Without this script every page still works: the dashboard by reloading, the preview on saving.
"use strict";
(() => {
  const live = document.querySelector("[data-live]");
  if (live && "EventSource" in window) {
    const lamp = document.querySelector(".live");
    const source = new EventSource(live.dataset.live);
    source.addEventListener("dashboard", (event) => {
      const held = document.activeElement && live.contains(document.activeElement);
      if (!held) { live.innerHTML = event.data; }
    });
    source.addEventListener("open", () => lamp && (lamp.classList.add("on"), lamp.textContent = "实时更新"));
    source.addEventListener("error", () => lamp && (lamp.classList.remove("on"), lamp.textContent = "连接中断，正在重连"));
  }

  // A page that is read again while it is open; what somebody is about to choose stays.
  const again = document.querySelector("[data-again]");
  if (again) {
    setInterval(async () => {
      if (document.hidden || again.contains(document.activeElement)) { return; }
      try {
        const answer = await fetch(location.href);
        const page = answer.ok && new DOMParser().parseFromString(await answer.text(), "text/html").querySelector("[data-again]");
        if (page) { again.innerHTML = page.innerHTML; }
      } catch { /* the network is down: what was shown says when it was read */ }
    }, again.dataset.again * 1000);
  }

  // On a telephone the menu is a strip: the page that is open is brought into sight.
  document.querySelector(".side nav a[aria-current]")?.scrollIntoView({ block: "nearest", inline: "center" });

  const editor = document.querySelector("form[data-preview]");
  if (editor) {
    const text = document.querySelector("#preview-text"), facts = document.querySelector("#preview-facts");
    let timer = 0, asked = 0;
    const show = async () => {
      const mine = ++asked;
      try {
        const answer = await fetch(editor.dataset.preview, {
          method: "POST", body: new URLSearchParams(new FormData(editor)), headers: { Accept: "application/json" },
        });
        const found = await answer.json();
        if (mine !== asked) { return; }
        if (answer.ok) {
          text.textContent = found.text;
          facts.textContent = `${found.chars} 个字，计 ${found.parts} 条`;
          facts.className = found.parts > 2 ? "pill warn" : "pill good";
        } else {
          facts.textContent = found.errors && found.errors.length ? found.errors.map((e) => e.message).join("；") : found.title;
          facts.className = "pill bad";
        }
      } catch { facts.textContent = "预览暂不可用"; facts.className = "pill"; }
    };
    editor.addEventListener("input", () => { clearTimeout(timer); timer = setTimeout(show, 250); });
    show();
  }

  for (const form of document.querySelectorAll("form[data-confirm]")) {
    form.addEventListener("submit", (event) => { if (!window.confirm(form.dataset.confirm)) { event.preventDefault(); } });
  }
})();
