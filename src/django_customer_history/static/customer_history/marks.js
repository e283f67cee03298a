/* The suggestions for a field are those of the chosen model. Without JavaScript, those of all. */
document.addEventListener("DOMContentLoaded", () => {
  "use strict";

  const model = document.getElementById("id_model");
  const field = document.getElementById("id_field");
  const list = document.getElementById("id_field_list");
  if (!model || !field || !list) return;

  const options = [...list.options];
  /* A theme can replace the menu by one that sends no events: look when the list is needed. */
  field.addEventListener("focus", () => {
    list.replaceChildren(...options.filter((one) => !model.value || one.dataset.model === model.value));
  });
});
