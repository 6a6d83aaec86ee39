// The pages are whole without this. It keeps a run's numbers fresh, shows times in the reader's zone, keeps
// long values folded, and nothing else. No dependency, nothing from another site.
"use strict";

(() => {
  const QUICK = 2000, SLOW = 15000, SLOW_AFTER = 10 * 60 * 1000, SAY_EVERY = 15000;
  const began = Date.now();
  let misses = 0, fresh = Date.now(), said = 0, timer = 0;

  // ---- times: relative while they are young, in the reader's zone, exact in the title ----

  // In the language of the pages; the zone is the reader's.
  const format = (options) => new Intl.DateTimeFormat("en-GB", options);
  const exact = format({ dateStyle: "medium", timeStyle: "medium" });
  const clock = format({ hour: "2-digit", minute: "2-digit" });
  const thisYear = format({ day: "numeric", month: "short" });
  const anyYear = format({ day: "numeric", month: "short", year: "numeric" });
  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;

  function words(moment, style) {
    const now = new Date(), age = (now - moment) / 1000;
    if (style === "exact") return exact.format(moment);
    if (style === "relative" && age >= -5 && age < 60) return `${Math.max(0, Math.round(age))} s ago`;
    if (style === "relative" && age >= 0 && age < 3600) return `${Math.floor(age / 60)} min ago`;
    if (moment.toDateString() === now.toDateString()) return clock.format(moment);
    const day = (moment.getFullYear() === now.getFullYear() ? thisYear : anyYear).format(moment);
    return style === "clock" ? `${day}, ${clock.format(moment)}` : day;
  }

  function showTimes(root) {
    for (const one of root.querySelectorAll("time[data-show]")) {
      const moment = new Date(one.dateTime);
      if (Number.isNaN(moment.getTime())) continue;
      const text = words(moment, one.dataset.show);
      if (one.textContent !== text) one.textContent = text;
      one.title = `${exact.format(moment)} (${zone})`;
    }
  }

  // ---- replace in place: text and attributes change, elements stay, so focus, open rows and scroll do ----

  const sameKind = (a, b) => a.nodeType === b.nodeType && a.nodeName === b.nodeName && (a.id || "") === (b.id || "");

  function adopt(old, now) {
    if (old.nodeType !== Node.ELEMENT_NODE) {
      if (old.nodeValue !== now.nodeValue) old.nodeValue = now.nodeValue;
      return;
    }
    for (const { name } of [...old.attributes]) {
      if (!now.hasAttribute(name) && name !== "open") old.removeAttribute(name);
    }
    for (const { name, value } of [...now.attributes]) {
      if (name !== "open" && old.getAttribute(name) !== value) old.setAttribute(name, value);
    }
    // What somebody is typing is theirs; a token that changed is not worth a disturbance.
    if (!old.matches("input, select, textarea")) adoptChildren(old, now);
  }

  function adoptChildren(old, now) {
    const wanted = [...now.childNodes];
    wanted.forEach((node, at) => {
      const there = old.childNodes[at];
      if (there && sameKind(there, node)) adopt(there, node);
      else if (there) {
        const later = [...old.childNodes].slice(at + 1).find((one) => one.id && one.id === node.id);
        if (later) { old.insertBefore(later, there); adopt(later, node); }
        else old.insertBefore(node, there);
      } else old.append(node);
    });
    while (old.childNodes.length > wanted.length) old.lastChild.remove();
  }

  // ---- a run under way ----

  const live = () => document.getElementById("live");

  function say(text) {
    const region = document.getElementById("said");
    if (!region || !text || Date.now() - said < SAY_EVERY || region.textContent === text) return;
    region.textContent = text;
    said = Date.now();
  }

  function tellStale() {
    const note = document.getElementById("stale");
    if (!note) return;
    note.hidden = misses < 2;
    note.querySelector("time").textContent = exact.format(fresh);
  }

  async function fetched(address) {
    const answer = await fetch(address, { headers: { Accept: "text/html" }, credentials: "same-origin" });
    if (!answer.ok || answer.redirected) throw new Error(`${answer.status}`);
    return new DOMParser().parseFromString(await answer.text(), "text/html");
  }

  async function refresh() {
    const here = live();
    const next = (await fetched(here.dataset.live)).getElementById("live");
    if (next.dataset.active === "yes" && next.dataset.status === here.dataset.status) {
      adopt(here, next);
      say(next.dataset.say);
      return;
    }
    // It started, paused or ended: the rest of the page changes with it. What was told stays until the next page.
    const page = await fetched(location.href), content = page.getElementById("content");
    const told = document.querySelector(".flashes"), asked = content.querySelector(".head");
    if (told && asked && !content.querySelector(".flashes")) asked.before(told.cloneNode(true));
    adopt(document.getElementById("content"), content);
    said = 0;
    say(document.querySelector("h1").textContent.trim());
  }

  async function tick() {
    if (document.visibilityState === "visible") {
      try {
        await refresh();
        misses = 0;
        fresh = Date.now();
      } catch {
        misses += 1;
      }
      tellStale();
      showTimes(document);
    }
    plan();
  }

  function plan() {
    clearTimeout(timer);
    if (!live() || live().dataset.active !== "yes") return;
    const slow = Date.now() - began > SLOW_AFTER || misses > 2;
    timer = setTimeout(tick, slow ? SLOW : QUICK);
  }

  // ---- confirmations open over the page they were asked from; without script they are pages ----

  async function openDialog(link) {
    const form = (await fetched(link.href)).querySelector("form.dialog");
    if (!form) throw new Error("no dialog");
    const dialog = document.createElement("dialog");
    const title = form.querySelector("h1");
    const heading = document.createElement("h2");
    heading.append(...title.childNodes);
    heading.id = "dialog-title";
    title.replaceWith(heading);
    dialog.setAttribute("aria-labelledby", heading.id);
    dialog.append(form);
    document.body.append(dialog);
    dialog.addEventListener("close", () => { dialog.remove(); link.focus(); });
    const keep = form.querySelector("footer a");
    keep.addEventListener("click", (event) => { event.preventDefault(); dialog.close(); });
    dialog.showModal();
    keep.focus();
  }

  document.addEventListener("click", (event) => {
    const link = event.target.closest("a[data-dialog]");
    if (link && !event.metaKey && !event.ctrlKey && !event.shiftKey && event.button === 0) {
      event.preventDefault();
      openDialog(link).catch(() => { location.href = link.href; });
    }
    for (const menu of document.querySelectorAll("details.menu[open]")) {
      if (!menu.contains(event.target)) menu.open = false;
    }
  });
  document.addEventListener("keydown", (event) => {
    const menu = event.key === "Escape" && document.activeElement.closest("details.menu[open]");
    if (menu) { menu.open = false; menu.querySelector("summary").focus(); }
  });
  document.addEventListener("visibilitychange", () => {
    if (document.visibilityState === "visible" && live()?.dataset.active === "yes") { clearTimeout(timer); tick(); }
  });

  document.documentElement.classList.add("script");
  showTimes(document);
  setInterval(() => showTimes(document), 30000);
  plan();
})();
