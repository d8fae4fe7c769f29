// A page as many have it: what a reply has said so far is kept in a map, and React
// reads it there when it gets round to showing it. The final removes it from the map,
// and its text is not looked at.

const { createElement: h, useState, useEffect, useRef } = React;

function Chat({ connection }) {
  const [messages, setMessages] = useState([]);
  const [typing, setTyping] = useState(false);
  const [ready, setReady] = useState(false);
  const writing = useRef(new Map());
  useEffect(() => {
    window.receive = ({ messageId, content, isFinal }) => {
      if (isFinal) {
        writing.current.delete(messageId);
        return;
      }
      writing.current.set(messageId, (writing.current.get(messageId) ?? "") + content);
      setMessages((shown) => {
        const text = writing.current.get(messageId) ?? "";
        return shown.some((m) => m.id === messageId)
          ? shown.map((m) => (m.id === messageId ? { ...m, text } : m))
          : [...shown, { id: messageId, text }];
      });
    };
    connection.on("MessageReceived", window.receive);
    connection.on("TypingIndicator", ({ isTyping }) => setTyping(isTyping));
    connection.on("Error", ({ code }) => { throw new Error(code); });
    connection.start().then(() => setReady(true));
  }, []);
  return h("main", { "data-ready": ready, "data-typing": typing }, messages.map((m) => h("p", { key: m.id }, m.text)));
}

// blanks counts how often a message that is shown had no text.
window.blanks = 0;
new MutationObserver(() => {
  for (const p of document.querySelectorAll("p")) if (p.textContent === "") window.blanks++;
}).observe(document, { subtree: true, childList: true, characterData: true });

window.open = (url) => {
  window.connection = new signalR.HubConnectionBuilder().withUrl(url).configureLogging(signalR.LogLevel.None).build();
  createRoot(document.querySelector("#root")).render(h(Chat, { connection: window.connection }));
};
