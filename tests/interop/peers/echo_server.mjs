// A server of npm's ws library, whose paths are described in peer_test.go. The first argument is the folder where ws
// is installed.
import { once } from "node:events";
import { createRequire } from "node:module";

const { WebSocketServer } = createRequire(process.argv[2] + "/")("ws");

const tell = (facts) => console.log(JSON.stringify(facts));

function split(request) {
  const url = new URL(request.url, "http://127.0.0.1");
  return [url.pathname, Object.fromEntries(url.searchParams)];
}

function refuse({ req }, decide) {
  const [path, { status, body, why }] = split(req);
  if (path !== "/refuse") return decide(true);
  decide(false, Number(status), body, { "X-Why": why });
}

const server = new WebSocketServer({
  host: "127.0.0.1",
  port: 0,
  perMessageDeflate: true,
  handleProtocols: (offered) => offered.has("chat") && "chat",
  verifyClient: refuse,
});

const echo = (ws) => ws.on("message", (data, binary) => ws.send(data, { binary }));

function echoInFragments(ws) {
  ws.on("message", (data, binary) => {
    const third = Math.floor(data.length / 3);
    ws.send(data.subarray(0, third), { binary, fin: false });
    ws.send(data.subarray(third, 2 * third), { binary, fin: false });
    ws.send(data.subarray(2 * third), { binary, fin: true });
  });
}

async function pingFirst(ws, payload) {
  const answered = once(ws, "pong");
  ws.ping(payload);
  const [answer] = await answered;
  ws.send(answer.toString());
  echo(ws);
}

server.on("connection", (ws, request) => {
  const [path, query] = split(request);
  ws.on("error", (error) => tell({ event: "error", name: query.name, error: String(error) }));
  ws.on("close", (code, reason) =>
    tell({ event: "closed", name: query.name, code, reason: reason.toString() }),
  );
  switch (path) {
    case "/chat":
      return echo(ws);
    case "/fragments":
      return echoInFragments(ws);
    case "/greet":
      ws.send(query.text);
      return echo(ws);
    case "/ping":
      return pingFirst(ws, query.payload);
    case "/close":
      return ws.close(Number(query.code), query.reason);
    case "/drop":
      return ws.terminate();
  }
});

server.on("listening", () => tell({ event: "listening", port: server.address().port }));
process.stdin.on("end", () => process.exit(0)).resume();
