// Drives the assistant's client against two public mock providers: aimock (npm) and llmock (PyPI).
// Needs Node 20, Python 3.10 with venv, and cargo; installs into target/clients/assistant.

import { spawn, spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { createServer } from "node:net";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

const AIMOCK = "1.43.0";
const LLMOCK = "0.2.2";

const root = resolve(dirname(fileURLToPath(import.meta.url)), "../../..");
const home = join(root, "target/clients/assistant");
const aimock = join(home, `aimock-${AIMOCK}`);
const llmock = join(home, `llmock-${LLMOCK}`);

await mkdir(aimock, { recursive: true });
if (!existsSync(join(aimock, "node_modules"))) {
  const options = ["--no-package-lock", "--no-audit", "--no-fund", "--ignore-scripts", "--silent"];
  run("npm", ["install", "--prefix", aimock, ...options, `@copilotkit/aimock@${AIMOCK}`]);
}
if (!existsSync(join(llmock, "bin/llmock"))) {
  run("python3", ["-m", "venv", llmock]);
  run(join(llmock, "bin/pip"), ["install", "--quiet", `llmock==${LLMOCK}`]);
}

const entry = join(aimock, "node_modules/@copilotkit/aimock/dist/index.js");
const { LLMock } = await import(pathToFileURL(entry).href);
const scripted = new LLMock({ port: 0, chunkSize: 3 });
scripted.onMessage("text", { content: "Grüße, 世界 👩‍👩‍👧😀!\n\n- one\n- two" });
scripted.onMessage("tools", {
  content: "Let me see.",
  toolCalls: [
    { name: "weather", arguments: '{"city":"Nîmes"}' },
    { name: "time", arguments: "{}" },
  ],
});
scripted.onMessage("reasoning", { content: "Hello", reasoning: "They greet me." });
scripted.onMessage("slow", { content: "Hello" }, { latency: 30 });
scripted.onMessage("truncated", { content: "Hello, this will not end" }, { truncateAfterChunks: 4, latency: 10 });
scripted.onMessage("unavailable", { error: { message: "x", type: "server_error" }, status: 503 });
await scripted.start();

const port = await freePort();
const faulty = spawn(
  join(llmock, "bin/llmock"),
  ["serve", "--port", String(port), "--response-style", "echo", "--log-level", "error"],
  { stdio: ["ignore", "ignore", "inherit"] },
);
let status = 1;
try {
  const faultyUrl = `http://127.0.0.1:${port}`;
  await answers(`${faultyUrl}/health`, faulty);
  const tests = spawn("cargo", ["test", "--test", "api", "assistant::mocks", "--", "--ignored"], {
    cwd: root,
    stdio: "inherit",
    env: { ...process.env, AIMOCK_URL: scripted.url, LLMOCK_URL: faultyUrl },
  });
  status = await new Promise((done) => tests.on("exit", (code) => done(code ?? 1)));
} finally {
  faulty.kill();
  await scripted.stop();
}
process.exit(status);

function run(command, args) {
  const { status, error } = spawnSync(command, args, { stdio: "inherit" });
  if (status !== 0) {
    throw error ?? new Error(`${command} ended with ${status}`);
  }
}

async function freePort() {
  const server = createServer().listen(0, "127.0.0.1");
  await new Promise((done) => server.once("listening", done));
  const { port } = server.address();
  await new Promise((done) => server.close(done));
  return port;
}

async function answers(url, server) {
  for (const end = Date.now() + 20_000; Date.now() < end; ) {
    if (server.exitCode !== null) {
      break;
    }
    const answer = await fetch(url).catch(() => null);
    if (answer?.ok) {
      return;
    }
    await new Promise((next) => setTimeout(next, 50));
  }
  throw new Error(`${url} does not answer`);
}
