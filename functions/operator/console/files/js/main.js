// Starts the console: signs in, and shows the desk until the key does not count any more.

import { Api } from "./api.js";
import { Console } from "./console.js";
import { SignIn } from "./signin.js";
import { Store } from "./store.js";
import { text } from "./text.js";

const mount = document.querySelector("[data-console]");
const store = new Store();
let open = null; // the Console that is shown

function ask(problem) {
  open?.leave();
  open = null;
  document.title = text.title;
  const view = new SignIn({
    problem,
    signIn: async (key) => {
      const api = new Api(key);
      const me = await api.me();
      store.set("key", key);
      show(api, me);
    },
  });
  mount.replaceChildren(view.el);
  view.focus();
}

function show(api, me) {
  api.onrefused = (err) => {
    api.onrefused = () => {}; // calls under way are refused too
    if (err.code === "operator_unknown") resume(store.get("key"));
    else signOut(text.keyOver);
  };
  open = new Console({ api, me, store, signOut: () => signOut(""), restart: () => resume(store.get("key")) });
  mount.replaceChildren(open.el);
  open.start();
}

function signOut(problem) {
  store.clear();
  ask(problem);
}

// Signs in with the key that is kept. What does not work is asked for
// again, with the key kept where only the connection is to blame.
async function resume(key) {
  open?.leave();
  const api = new Api(key);
  api.operator = store.get("operator") ?? "";
  const view = new SignIn({ busy: true });
  mount.replaceChildren(view.el);
  try {
    show(api, await api.me());
  } catch (err) {
    if (err.code === "operator_unknown") {
      store.set("operator", undefined);
      return resume(key);
    }
    if (!err.passing) return signOut(err.code === "unknown_key" ? text.keyOver : view.wordsFor(err));
    view.offer(view.wordsFor(err), () => resume(key));
  }
}

const key = store.get("key");
if (key) resume(key);
else ask("");
