"use strict";
// Says where the entry stands: that changes with every new entry, and the page does not.
(() => {
  const sentence = document.querySelector("[data-entry]");
  const place = (window.PLACES || {})[sentence.dataset.entry];
  if (place) sentence.replaceChildren(...MEDAL.spans(place));
})();
