/* The suggestions for a field are those of the chosen model. Without JavaScript, those of all. */
document.addEventListener("DOMContentLoaded", () => {
  "use strict";

  const model = document.getElementById("id_model");
  const field = document.getElementById("id_field");
  const list = document.getElementById("id_field_list");
  if (!model || !field || !list) return;

  const options = [...list.options];
  const narrow = () => {
    list.replaceChildren(...options.filter((one) => !model.value || one.dataset.model === model.value));
  };
  model.addEventListener("change", narrow);
  /* A theme can replace the menu by one that sends no such events. */
  field.addEventListener("focus", narrow);
});
