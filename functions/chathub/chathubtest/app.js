// Apps with SignalR's own client, in Node.js or in a page. Tests give them orders, and
// tell gets what came of each order and what the apps hear.

function apps(signalR, tell) {
  const all = new Map();

  const orders = {
    async connect(app, { url, token, skip, reconnects, stateful, stops, timers }) {
      const options = {};
      if (token) options.accessTokenFactory = () => token;
      if (skip) Object.assign(options, { skipNegotiation: true, transport: signalR.HttpTransportType.WebSockets });
      let builder = new signalR.HubConnectionBuilder().withUrl(url, options).configureLogging(signalR.LogLevel.None);
      if (reconnects) builder = builder.withAutomaticReconnect();
      if (stateful) builder = builder.withStatefulReconnect();
      if (timers) builder = builder.withKeepAliveInterval(timers.keepAlive).withServerTimeout(timers.serverTimeout);
      const connection = builder.build();
      const heard = (event) => (argument = {}) => {
        tell({ app, event, argument });
        if (event === "ConversationEnded" && stops) return connection.stop();
      };
      for (const event of ["MessageReceived", "TypingIndicator", "ConversationEnded", "Error"]) connection.on(event, heard(event));
      connection.onreconnecting(() => heard("reconnecting")());
      connection.onreconnected(() => heard("reconnected")());
      connection.onclose((err) => heard("closed")({ error: err ? err.message : "" }));
      all.set(app, connection);
      await connection.start();
    },
    // The calls are made in one tick.
    async invoke(app, { calls }) {
      const asked = calls.map(([method, ...given]) => all.get(app).invoke(method, ...given));
      return (await Promise.allSettled(asked)).map((r) =>
        r.status === "fulfilled" ? { result: r.value } : { error: r.reason.message });
    },
    send: (app, { method }) => all.get(app).send(method),
    stop: (app) => all.get(app).stop(),
  };

  return async ({ n, app, order, ...given }) => {
    try {
      tell({ n, result: await orders[order](app, given) });
    } catch (err) {
      tell({ n, error: err.message });
    }
  };
}

// In Node.js, orders are lines of the input, and what is told lines of the output.
if (typeof window === "undefined") {
  const tell = (said) => process.stdout.write(JSON.stringify(said) + "\n");
  for (const what of ["uncaughtException", "unhandledRejection"]) process.on(what, (err) => tell({ uncaught: `${err.stack}` }));
  const give = apps(require(process.argv[2]), tell);
  require("node:readline").createInterface({ input: process.stdin }).on("line", (line) => give(JSON.parse(line))).on("close", () => process.exit());
}
