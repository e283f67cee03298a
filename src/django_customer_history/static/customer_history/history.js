/* Enhances the History tab. Without JavaScript, every link and button works as a page of its own. */
(() => {
  "use strict";

  /* A page can have several tags that load this script. */
  if ("customerHistory" in document.documentElement.dataset) return;
  document.documentElement.dataset.customerHistory = "";

  const TAB = ".customer-history";

  /* Everybody sees the text of this element for a while, and screen readers read it. */
  const announce = (tab, text) => {
    const status = tab.querySelector(".ch-status");
    status.textContent = text;
    setTimeout(() => {
      if (status.textContent === text) status.textContent = "";
    }, 10_000);
  };

  /* Narrow pages show the table as cards. Some browsers then forget that these are rows and cells:
     with the roles, screen readers know. */
  const ROLES = { TABLE: "table", THEAD: "rowgroup", TBODY: "rowgroup", TR: "row", TD: "cell" };
  const setRoles = (tab) => {
    tab.querySelectorAll("table, thead, tbody, tr, th, td").forEach((one) => {
      one.setAttribute("role", ROLES[one.tagName] ?? (one.scope.startsWith("col") ? "columnheader" : "rowheader"));
    });
  };

  const parseTab = async (response) => {
    const page = new DOMParser().parseFromString(await response.text(), "text/html");
    const tab = page.querySelector(TAB);
    if (tab) setRoles(tab);
    return tab;
  };

  const focus = (entry) => {
    if (!entry) return;
    entry.tabIndex = -1;
    entry.focus();
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
    const dayOf = (body) => body.classList.contains("ch-day") && body.querySelector("time").dateTime;
    const lastDay = dayOf([...table.querySelectorAll(".ch-day")].at(-1));
    const bodies = [...fetched.querySelectorAll("tbody")].filter((body) => dayOf(body) !== lastDay);
    table.append(...bodies);
    const ends = ".ch-pages:has([rel=next]), .ch-end, .ch-tracking-start";
    tab.querySelectorAll(ends).forEach((end) => end.remove());
    table.after(...fetched.querySelectorAll(ends));
    if (!tab.querySelector(".ch-newer, .ch-load-older")) {
      tab.querySelector(".ch-partial")?.remove();
    }
    if (!tab.querySelector("#ch-reveal")) {
      table.after(...fetched.querySelectorAll("#ch-reveal"));
    }
    const first = bodies.find((body) => body.classList.contains("ch-entry"));
    announce(tab, tab.dataset.olderLoaded);
    focus(first);
  };

  const openFilters = async (tab, link) => {
    const fetched = await load(tab, link.href, {}, () => location.assign(link.href));
    if (!fetched) return;
    tab.querySelector(".ch-filter-bar").replaceWith(fetched.querySelector(".ch-filter-bar"));
    showSearches(tab);
    announce(tab, "");
    tab.querySelector(".ch-filter-form input[type=search]")?.focus();
  };

  const reveal = async (tab, form, button) => {
    const body = new FormData(form);
    body.append(button.name, button.value);
    /* Following the link could reveal, and log, a second time: only announce that it failed. */
    const fetched = await load(tab, form.action, { method: "POST", body }, () => {});
    const row = fetched?.querySelector(".ch-revealed");
    if (!row) return announce(tab, tab.dataset.failed);
    button.closest("tbody").replaceWith(row);
    announce(tab, tab.dataset.revealed);
    focus(row);
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
    const form = link.closest(".ch-filter-form");
    if (form && link.dataset.from) {
      event.preventDefault();
      applyPreset(link, form);
    } else if (link.classList.contains("ch-load-older")) {
      event.preventDefault();
      loadOlder(tab, link);
    } else if (link.classList.contains("ch-open-filters")) {
      event.preventDefault();
      openFilters(tab, link);
    } else if (link.classList.contains("ch-print-link")) {
      event.preventDefault();
      print(tab, link);
    }
  });

  /* Show the changes of one field in a dialog over the page that has its value. */
  const openField = async (link) => {
    const response = await fetch(link.href, { credentials: "same-origin" }).catch(() => null);
    const fetched = response?.ok && !response.redirected ? await parseTab(response) : null;
    if (!fetched) return location.assign(link.href);
    fetched.querySelectorAll("script, .ch-toolbar, .ch-print-header").forEach((one) => one.remove());
    fetched.querySelectorAll("a[href^='?']").forEach((one) => (one.href = new URL(one.getAttribute("href"), link.href).href));
    const dialog = document.createElement("dialog");
    dialog.className = "ch-dialog";
    const heading = document.createElement("h2");
    heading.id = "ch-dialog-heading";
    heading.textContent = link.title;
    dialog.setAttribute("aria-labelledby", heading.id);
    const close = document.createElement("button");
    close.className = "ch-button";
    close.textContent = link.dataset.close;
    close.addEventListener("click", () => dialog.close());
    const head = document.createElement("div");
    head.append(heading, close);
    fetched.prepend(head);
    dialog.append(fetched);
    dialog.addEventListener("close", () => {
      dialog.remove();
      link.focus();
    });
    document.body.append(dialog);
    dialog.showModal();
  };
  document.addEventListener("click", (event) => {
    const link = event.target.closest(".ch-field-link");
    if (!link || event.defaultPrevented || event.button || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    openField(link);
  });

  document.addEventListener("submit", (event) => {
    const form = event.target;
    const tab = form.closest(TAB);
    if (!tab) return;
    if (form.id === "ch-reveal") {
      event.preventDefault();
      reveal(tab, form, event.submitter);
    } else if (form.classList.contains("ch-filter-form")) {
      /* Keep empty inputs out of the URL. */
      for (const input of form.elements) if (input.name && !input.value) input.disabled = true;
    }
  });

  /* A date range keeps what is ticked in the menus but not applied yet. */
  const applyPreset = (link, form) => {
    for (const name of ["from", "to"]) {
      const input = form.elements[name];
      input.type = "date";
      input.value = link.dataset[name];
    }
    form.requestSubmit();
  };

  /* The text box of a long menu shows the options that contain its text. */
  const showSearches = (tab) => {
    tab.querySelectorAll(".ch-option-search").forEach((search) => (search.hidden = false));
  };
  const findOptions = (input) => {
    const wanted = input.value.trim().toLowerCase();
    const menu = input.closest(".ch-panel").querySelector(".ch-options");
    for (const group of menu.children) {
      const title = group.getAttribute("aria-label")?.toLowerCase() ?? "";
      for (const option of group.querySelectorAll("label")) {
        option.hidden = !title.includes(wanted) && !option.textContent.toLowerCase().includes(wanted);
      }
      group.hidden = !group.querySelector("label:not([hidden])");
    }
  };
  document.addEventListener("input", (event) => {
    if (event.target.closest(`${TAB} .ch-option-search`)) findOptions(event.target);
  });
  document.addEventListener("keydown", (event) => {
    /* Enter would apply the filters. */
    if (event.key === "Enter" && event.target.closest?.(".ch-option-search")) event.preventDefault();
  });
  document.querySelectorAll(TAB).forEach((tab) => {
    setRoles(tab);
    showSearches(tab);
  });

  /* Escape, or a click elsewhere, closes an open menu. */
  const openMenus = () => document.querySelectorAll(`${TAB} .ch-menu[open]`);
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
    document.querySelectorAll(`${TAB} .ch-filter-form :disabled`).forEach((input) => {
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
    document.querySelectorAll(`${TAB} .ch-print-time`).forEach((time) => {
      try {
        time.replaceChildren(currentTime(time.closest(TAB).dataset.zone));
        time.dateTime = new Date().toISOString();
      } catch {
        /* The browser does not know this time zone: keep the time when the page was made. */
      }
    });
    opened = [...document.querySelectorAll(`${TAB} details:not([open]):not(.ch-menu)`)];
    opened.forEach((element) => (element.open = true));
  });
  window.addEventListener("afterprint", () => opened.forEach((element) => (element.open = false)));

  /* Move the keyboard focus to the entry that a permalink names. */
  const focusEntry = () => {
    if (location.hash !== "#ch-entry") return;
    const entry = document.getElementById("ch-entry");
    entry?.classList.add("ch-arrived");
    focus(entry);
  };
  window.addEventListener("hashchange", focusEntry);
  focusEntry();
})();
