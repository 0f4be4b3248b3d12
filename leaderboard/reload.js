// Reloads a page that `harness leaderboard --serve` sent, once the site was built again. No part of the site.
"use strict";

const sent = document.currentScript.dataset.build;

setInterval(async () => {
  try {
    const answer = await fetch("/.build", { cache: "no-store" });
    if (answer.ok && (await answer.text()) !== sent) location.reload();
  } catch {
    // The server has ended, or starts again: it is asked once more in a second.
  }
}, 1000);
