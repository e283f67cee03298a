/* Enhances the History tab. Without JavaScript, every link and button works as a page of its own. */
(() => {
  "use strict";

  const TAB = ".customer-history";

  /* Screen readers read the text of this element when it changes. */
  const announce = (tab, text) => {
    tab.querySelector(".customer-history-status").textContent = text;
  };

  const parseTab = async (response) => {
    const page = new DOMParser().parseFromString(await response.text(), "text/html");
    return page.querySelector(TAB);
  };

  /* Return the tab of another page. If that fails, call `onError`, which usually follows the link. */
  const load = async (tab, url, options, onError) => {
    tab.setAttribute("aria-busy", "true");
    announce(tab, tab.dataset.loading);
    try {
      const response = await fetch(url, { credentials: "same-origin", ...options });
      const fetched = response.ok && !response.redirected ? await parseTab(response) : null;
      if (!fetched) throw new Error(String(response.status));
      return fetched;
    } catch {
      announce(tab, tab.dataset.failed);
      onError();
      return null;
    } finally {
      tab.removeAttribute("aria-busy");
    }
  };

  const loadOlder = async (tab, link) => {
    const fetched = await load(tab, link.href, {}, () => location.assign(link.href));
    if (!fetched) return;
    const table = tab.querySelector("table");
    const days = table.querySelectorAll(".customer-history-day");
    const lastDay = days[days.length - 1]?.dataset.day;
    const bodies = [...fetched.querySelectorAll("tbody")].filter(
      (body) => !body.classList.contains("customer-history-day") || body.dataset.day !== lastDay,
    );
    table.append(...bodies);
    const ends = ".customer-history-pages:has([rel=next]), .customer-history-end, .customer-history-tracking-start";
    tab.querySelectorAll(ends).forEach((end) => end.remove());
    table.after(...fetched.querySelectorAll(ends));
    if (!tab.querySelector(".customer-history-newer, .customer-history-load-older")) {
      tab.querySelector(".customer-history-partial")?.remove();
    }
    if (!tab.querySelector("#customer-history-reveal")) {
      table.after(...fetched.querySelectorAll("#customer-history-reveal"));
    }
    const first = bodies.find((body) => body.classList.contains("customer-history-entry"));
    announce(tab, tab.dataset.olderLoaded);
    first?.focus();
  };

  const openFilters = async (tab, link) => {
    const fetched = await load(tab, link.href, {}, () => location.assign(link.href));
    if (!fetched) return;
    tab.querySelector(".customer-history-filter-bar").replaceWith(fetched.querySelector(".customer-history-filter-bar"));
    announce(tab, "");
    tab.querySelector(".customer-history-filter-form input[type=search]")?.focus();
  };

  const reveal = async (tab, form, button) => {
    const body = new FormData(form);
    body.append(button.name, button.value);
    /* Following the link could reveal, and log, a second time: only announce that it failed. */
    const fetched = await load(tab, form.action, { method: "POST", body }, () => {});
    const row = fetched?.querySelector(`[id="entry-${button.value}"]`);
    if (!row) return announce(tab, tab.dataset.failed);
    document.getElementById(row.id).replaceWith(row);
    announce(tab, tab.dataset.revealed);
    row.focus();
  };

  /* Print the print view, which has all entries, and not only those that were loaded. */
  const print = async (tab, link) => {
    const fetched = await load(tab, link.href, {}, () => location.assign(link.href));
    if (!fetched) return;
    announce(tab, "");
    const position = scrollY;
    fetched.querySelectorAll("script").forEach((script) => script.remove());
    tab.replaceWith(fetched);
    const restore = () => {
      fetched.replaceWith(tab);
      scrollTo(0, position);
      link.focus({ preventScroll: true });
    };
    window.addEventListener("afterprint", restore, { once: true });
    window.print();
  };

  document.addEventListener("click", (event) => {
    const tab = event.target.closest(TAB);
    const link = event.target.closest("a");
    if (!tab || !link || event.defaultPrevented || event.button || event.ctrlKey || event.metaKey || event.shiftKey) return;
    if (link.classList.contains("customer-history-load-older")) {
      event.preventDefault();
      loadOlder(tab, link);
    } else if (link.classList.contains("customer-history-open-filters")) {
      event.preventDefault();
      openFilters(tab, link);
    } else if (link.classList.contains("customer-history-print-link")) {
      event.preventDefault();
      print(tab, link);
    }
  });

  document.addEventListener("submit", (event) => {
    const form = event.target;
    const tab = form.closest(TAB);
    if (!tab) return;
    if (form.id === "customer-history-reveal") {
      event.preventDefault();
      reveal(tab, form, event.submitter);
    } else if (form.classList.contains("customer-history-filter-form")) {
      /* Keep empty inputs out of the URL. */
      for (const input of form.elements) if (input.name && !input.value) input.disabled = true;
    }
  });

  /* Escape, or a click elsewhere, closes an open menu. */
  const openMenus = () => document.querySelectorAll(`${TAB} .customer-history-menu[open]`);
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    openMenus().forEach((menu) => {
      menu.open = false;
      menu.querySelector("summary").focus();
    });
  });
  document.addEventListener("click", (event) => {
    openMenus().forEach((menu) => {
      if (!menu.contains(event.target)) menu.open = false;
    });
  });
  window.addEventListener("pageshow", () => {
    document.querySelectorAll(`${TAB} .customer-history-filter-form :disabled`).forEach((input) => {
      input.disabled = false;
    });
  });

  /* While printing, open everything and show the current time. */
  let opened = [];
  const currentTime = (zone) => {
    const style = { dateStyle: "long", timeStyle: "long", timeZone: zone };
    return new Intl.DateTimeFormat(document.documentElement.lang || undefined, style).format(new Date());
  };
  window.addEventListener("beforeprint", () => {
    document.querySelectorAll(`${TAB} .customer-history-print-time`).forEach((time) => {
      try {
        time.replaceChildren(currentTime(time.closest(TAB).dataset.zone));
        time.dateTime = new Date().toISOString();
      } catch {
        /* The browser does not know this time zone: keep the time when the page was made. */
      }
    });
    opened = [...document.querySelectorAll(`${TAB} details:not([open]):not(.customer-history-menu)`)];
    opened.forEach((element) => (element.open = true));
  });
  window.addEventListener("afterprint", () => opened.forEach((element) => (element.open = false)));

  /* Move the keyboard focus to the entry that a permalink names. */
  const focusEntry = () => {
    const id = decodeURIComponent(location.hash.slice(1));
    if (!id.startsWith("entry-")) return;
    const entry = document.getElementById(id);
    entry?.classList.add("customer-history-arrived");
    entry?.focus();
  };
  window.addEventListener("hashchange", focusEntry);
  focusEntry();
})();
