/* Makes the History tab nicer to use. Without it every link and button works as a page of its own. */
(() => {
  "use strict";

  const TAB = ".customer-history";

  const parsed = async (response) => {
    const found = new DOMParser().parseFromString(await response.text(), "text/html");
    return found.querySelector(TAB);
  };

  /* Fetch what a link or form leads to; where that fails, go there as without a script. */
  const load = async (tab, address, options, otherwise) => {
    const status = tab.querySelector(".customer-history-status");
    tab.setAttribute("aria-busy", "true");
    status.textContent = tab.dataset.loading;
    try {
      const response = await fetch(address, { credentials: "same-origin", ...options });
      const fetched = response.ok && !response.redirected ? await parsed(response) : null;
      if (!fetched) throw new Error(String(response.status));
      return fetched;
    } catch {
      status.textContent = tab.dataset.failed;
      otherwise();
      return null;
    } finally {
      tab.removeAttribute("aria-busy");
    }
  };

  const say = (tab, text) => {
    tab.querySelector(".customer-history-status").textContent = text;
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
    const ends = ".customer-history-pages:has([rel=next]), .customer-history-end, .customer-history-beginning";
    tab.querySelectorAll(ends).forEach((end) => end.remove());
    table.after(...fetched.querySelectorAll(ends));
    if (!tab.querySelector(".customer-history-newer, .customer-history-older")) {
      tab.querySelector(".customer-history-part")?.remove();
    }
    if (!tab.querySelector("#customer-history-reveal")) {
      table.after(...fetched.querySelectorAll("#customer-history-reveal"));
    }
    const first = bodies.find((body) => body.classList.contains("customer-history-entry"));
    say(tab, tab.dataset.olderLoaded);
    first?.focus();
  };

  const openFilters = async (tab, link) => {
    const fetched = await load(tab, link.href, {}, () => location.assign(link.href));
    if (!fetched) return;
    tab.querySelector(".customer-history-filter").replaceWith(fetched.querySelector(".customer-history-filter"));
    say(tab, "");
    tab.querySelector(".customer-history-form input[type=search]")?.focus();
  };

  const reveal = async (tab, form, button) => {
    const body = new FormData(form);
    body.append(button.name, button.value);
    /* A second try without the script would be recorded as a second look: only say that it failed. */
    const fetched = await load(tab, form.action, { method: "POST", body }, () => {});
    const row = fetched?.querySelector(`[id="entry-${button.value}"]`);
    if (!row) return say(tab, tab.dataset.failed);
    document.getElementById(row.id).replaceWith(row);
    say(tab, tab.dataset.revealed);
    row.focus();
  };

  /* What is printed is the whole list as it is now, and not the part of it that was loaded. */
  const print = async (tab, link) => {
    const fetched = await load(tab, link.href, {}, () => location.assign(link.href));
    if (!fetched) return;
    say(tab, "");
    const place = scrollY;
    fetched.querySelectorAll("script").forEach((script) => script.remove());
    tab.replaceWith(fetched);
    const back = () => {
      fetched.replaceWith(tab);
      scrollTo(0, place);
      link.focus({ preventScroll: true });
    };
    window.addEventListener("afterprint", back, { once: true });
    window.print();
  };

  document.addEventListener("click", (event) => {
    const tab = event.target.closest(TAB);
    const link = event.target.closest("a");
    if (!tab || !link || event.defaultPrevented || event.button || event.ctrlKey || event.metaKey || event.shiftKey) return;
    if (link.classList.contains("customer-history-older")) {
      event.preventDefault();
      loadOlder(tab, link);
    } else if (link.classList.contains("customer-history-open")) {
      event.preventDefault();
      openFilters(tab, link);
    } else if (link.classList.contains("customer-history-print")) {
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
    } else if (form.classList.contains("customer-history-form")) {
      /* What is empty asks for nothing, and has no place in the address. */
      for (const input of form.elements) if (input.name && !input.value) input.disabled = true;
    }
  });

  /* Menus close as people expect: by Escape, or by a click elsewhere. */
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
    document.querySelectorAll(`${TAB} .customer-history-form :disabled`).forEach((input) => {
      input.disabled = false;
    });
  });

  /* On paper everything is open, and the time is that of printing; afterwards it is as it was. */
  let opened = [];
  const now = (zone) => {
    const style = { dateStyle: "long", timeStyle: "long", timeZone: zone };
    return new Intl.DateTimeFormat(document.documentElement.lang || undefined, style).format(new Date());
  };
  window.addEventListener("beforeprint", () => {
    document.querySelectorAll(`${TAB} .customer-history-now`).forEach((time) => {
      try {
        time.replaceChildren(now(time.closest(TAB).dataset.zone));
        time.dateTime = new Date().toISOString();
      } catch {
        /* A zone without a name that browsers know: the time of the page stands. */
      }
    });
    opened = [...document.querySelectorAll(`${TAB} details:not([open]):not(.customer-history-menu)`)];
    opened.forEach((one) => (one.open = true));
  });
  window.addEventListener("afterprint", () => opened.forEach((one) => (one.open = false)));

  /* A link to one change leads to it with the keyboard too. */
  const arrive = () => {
    const name = decodeURIComponent(location.hash.slice(1));
    if (!name.startsWith("entry-")) return;
    const row = document.getElementById(name);
    row?.classList.add("customer-history-arrived");
    row?.focus();
  };
  window.addEventListener("hashchange", arrive);
  arrive();
})();
