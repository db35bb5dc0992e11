// A client of npm's ws library, driven by lines of JSON: see peer_test.go. The first argument is the folder where ws
// is installed.
import { once } from "node:events";
import { createRequire } from "node:module";
import { createInterface } from "node:readline";

const { WebSocket } = createRequire(process.argv[2] + "/")("ws");

const connections = new Map();

function open({ name, url, subprotocols }) {
  return new Promise((resolve, reject) => {
    const ws = new WebSocket(url, subprotocols, { perMessageDeflate: true });
    const connection = { ws, arrived: [], waiting: [] };
    const deliver = (message) => {
      const waiting = connection.waiting.shift();
      waiting ? waiting(message) : connection.arrived.push(message);
    };
    ws.on("open", () => {
      connections.set(name, connection);
      resolve({ status: 101, subprotocol: ws.protocol, extensions: ws.extensions });
    });
    ws.on("message", (data, isBinary) =>
      deliver({ kind: isBinary ? "binary" : "text", data: data.toString("base64") }),
    );
    ws.on("close", (code, reason) => deliver({ kind: "close", code, reason: reason.toString() }));
    ws.on("unexpected-response", async (request, response) => {
      const body = [];
      for await (const piece of response) body.push(piece);
      resolve({ status: response.statusCode, body: Buffer.concat(body).toString() });
    });
    ws.on("error", reject);
  });
}

// send sends one message: a part whole, several as fragments, if wanted with a Ping and its Pong in between.
async function send({ name, kind, parts, pings }) {
  const { ws } = connections.get(name);
  for (const [i, part] of parts.entries()) {
    const data = Buffer.from(part, "base64");
    ws.send(data, { binary: kind === "binary", fin: i === parts.length - 1 });
    if (pings) await ping({ name, data: "" });
  }
  return {};
}

function receive({ name }) {
  const connection = connections.get(name);
  return new Promise((resolve) => {
    const message = connection.arrived.shift();
    message ? resolve(message) : connection.waiting.push(resolve);
  });
}

async function ping({ name, data }) {
  const { ws } = connections.get(name);
  const answered = once(ws, "pong");
  ws.ping(Buffer.from(data, "base64"));
  const [payload] = await answered;
  return { kind: "pong", data: payload.toString("base64") };
}

function close({ name, code, reason }) {
  connections.get(name).ws.close(code, reason);
  return receive({ name });
}

const commands = { open, send, receive, ping, close };

const lines = createInterface({ input: process.stdin, crlfDelay: Infinity });
lines.on("line", async (line) => {
  const { id, do: name, ...parameters } = JSON.parse(line);
  let answer;
  try {
    answer = await commands[name](parameters);
  } catch (error) {
    answer = { error: String(error) };
  }
  console.log(JSON.stringify({ id, ...answer }));
});
lines.on("close", () => process.exit(0));
