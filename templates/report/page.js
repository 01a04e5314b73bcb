"use strict";
// One layer's details beside the drawing, and the design that a slider points at. Without this, everything is shown.
(() => {
  const page = document.documentElement;
  page.classList.add("scripted");
  const articles = [...document.querySelectorAll(".details > article")];
  const boxes = [...document.querySelectorAll(".canvas a")];
  const show = () => {
    const wanted = articles.find((a) => `#${a.id}` === location.hash) || articles[0];
    articles.forEach((a) => a.classList.toggle("shown", a === wanted));
    boxes.forEach((b) => {
      if (wanted && b.getAttribute("href") === `#${wanted.id}`) b.setAttribute("aria-current", "true");
      else b.removeAttribute("aria-current");
    });
  };
  addEventListener("hashchange", show);
  boxes.forEach((b) => b.addEventListener("click", (event) => {
    event.preventDefault(); // the page stays where it is
    history.replaceState(null, "", b.getAttribute("href"));
    show();
  }));
  show();

  document.querySelectorAll(".front").forEach((front) => {
    const slider = front.querySelector("input"), output = front.querySelector("output"), views = [];
    const rows = [...front.querySelectorAll("tr[data-row]")];
    const point = (row) => {
      rows.forEach((r) => r.classList.toggle("marked", r === row));
      const heads = [...front.querySelectorAll("thead th")].map((h) => h.textContent.trim());
      const said = [...row.cells].map((cell, k) => `${heads[k]} ${cell.textContent.trim()}`);
      output.textContent = said.slice(1).join(" · ");
      const box = row.closest(".designs");
      box.scrollTop = row.offsetTop - box.clientHeight / 2;
      views.forEach((view) => view.signal("design", Number(row.dataset.row)).run());
    };
    slider.addEventListener("input", () => point(rows[Number(slider.value)]));
    point(rows[Number(slider.value)]);
    const source = front.querySelector("script");
    if (!source || !window.vegaEmbed) return;
    const { values, charts } = JSON.parse(source.textContent);
    const places = [...front.querySelectorAll(".chart")];
    const options = { mode: "vega-lite", ast: true, renderer: "svg", actions: false, defaultStyle: false, tooltip: { disableDefaultStyle: true } };
    charts.forEach((chart, k) => {
      const spec = { ...chart, data: { values } };
      window.vegaEmbed(places[k], spec, options).then(({ view }) => {
        views.push(view);
        view.signal("design", Number(rows[Number(slider.value)].dataset.row)).run();
      });
    });
  });
})();
