// A question that has to be answered before something weighty happens.

import { button, h } from "../web/dom.js";

/** Asks, and returns whether the answer was yes; Escape is no. */
export function confirm({ ask, warn, yes, no }) {
  return new Promise((resolve) => {
    const close = (sure) => dialog.close(sure ? "yes" : "");
    const dialog = h(
      "dialog",
      { class: "confirm", "aria-labelledby": "confirm-ask", "aria-describedby": "confirm-warn" },
      h("h2", { id: "confirm-ask" }, ask),
      h("p", { id: "confirm-warn" }, warn),
      h(
        "div",
        { class: "buttons" },
        button(no, { class: "small", autofocus: true, onclick: () => close(false) }),
        button(yes, { class: "small danger", onclick: () => close(true) }),
      ),
    );
    dialog.addEventListener("close", () => {
      dialog.remove();
      resolve(dialog.returnValue === "yes");
    });
    document.body.append(dialog);
    dialog.showModal();
  });
}
