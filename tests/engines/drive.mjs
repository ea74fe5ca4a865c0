// The command of the shared suite (tests/all/engines) over the Node package: a worker drives what is in a folder.

import { existsSync } from 'node:fs';
import { mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as later } from 'node:timers/promises';

import { begin, Busy, drive, FolderStore, importerFor, resolve } from '../../orchestrators/node/src/index.js';

const folder = process.env.FHIR_IMPORT_STORE;
const store = new FolderStore(join(folder, 'imports'));
const rights = JSON.parse(await readFile(process.env.FHIR_IMPORT_RIGHTS, 'utf8'));

const camel = (name) => name.replace(/_(.)/g, (_, letter) => letter.toUpperCase());
const kebab = (name) => name.replace(/(?!^)([A-Z])/g, '-$1').toLowerCase();
const numbers = new Set(['time_ms', 'resources', 'distinct_ids', 'poll_max_ms', 'deadline_ms', 'max_errors']);

/** From the form that all adapters take to that of this package. */
function native(value, key) {
  if (value === null) return undefined;
  if (numbers.has(key)) return BigInt(value);
  if (key === 'purpose') return kebab(value);
  if (key === 'dialect') return variant(value);
  if (Array.isArray(value)) return value.map((one) => native(one));
  if (typeof value !== 'object') return value;
  return Object.fromEntries(Object.entries(value).map(([name, one]) => [camel(name), native(one, name)]));
}

function variant(value) {
  if (typeof value === 'string') return { tag: kebab(value) };
  const [[name, val]] = Object.entries(value);
  return { tag: kebab(name), val: typeof val === 'number' ? BigInt(val) : val };
}

const plain = (value) => JSON.stringify(value, (_, one) => (typeof one === 'bigint' ? Number(one) : one));
const input = async () => JSON.parse(await new Response(process.stdin).text());
const put = (path, text) => writeFile(`${path}.new`, text).then(() => rename(`${path}.new`, path));
const decisionFile = (id) => join(folder, `${id}.decision`);
const place = (id) => join(folder, `${id}.server`);
const importer = async (id) => importerFor(rights, await readFile(place(id), 'utf8'));

async function start() {
  const request = native(await input());
  const opened = await importerFor(rights, request.baseUrl);
  await begin({ importer: opened, store, request });
  await put(place(request.id), request.baseUrl);
  await opened.close();
}

const seen = new Set();

/** Drives each import that is not over, and takes decisions about it. */
async function worker() {
  console.error('ready');
  for (;;) {
    const ids = (await readdir(folder)).filter((name) => name.endsWith('.server')).map((name) => name.slice(0, 32));
    for (const id of ids.filter((id) => !seen.has(id))) {
      seen.add(id);
      one(id).catch((error) => console.error(error.message));
    }
    await later(50);
  }
}

async function one(id) {
  const opened = await importer(id);
  try {
    while (!(await isOver(opened, id))) {
      await driveUntilDecision(opened, id);
      await takeDecision(opened, id);
      await later(20);
    }
  } finally {
    await opened.close();
  }
}

async function isOver(opened, id) {
  const { plan, checkpoint } = await store.load(id);
  return (await opened.inspect(plan, checkpoint)).next.tag === 'done';
}

async function driveUntilDecision(opened, id) {
  const leave = new AbortController();
  const watch = setInterval(() => existsSync(decisionFile(id)) && leave.abort(), 20);
  try {
    await drive({ importer: opened, store, id, signal: leave.signal });
  } catch (error) {
    if (!(error instanceof Busy)) throw error;
  } finally {
    clearInterval(watch);
  }
}

async function takeDecision(opened, id) {
  const text = await readFile(decisionFile(id), 'utf8').catch(() => null);
  if (text === null) return;
  const answer = await resolve({ importer: opened, store, id, decision: variant(JSON.parse(text)) }).then(
    () => ({}),
    (error) => (error instanceof Busy ? null : { refused: error.message }),
  );
  if (!answer) return;
  await put(`${decisionFile(id)}.answer`, JSON.stringify(answer));
  await rm(decisionFile(id), { force: true });
}

async function look(id) {
  const opened = await importer(id);
  const { plan, checkpoint } = await store.load(id);
  return opened.inspect(plan, checkpoint).finally(opened.close);
}

async function result(id) {
  for (;;) {
    const { next } = await look(id);
    if (next.tag === 'done' || next.tag === 'paused') return console.log(plain({ [next.tag]: next.val }));
    await later(100);
  }
}

/** Hands a decision to whoever drives the import, and waits for its answer. */
async function decide(id) {
  await look(id);
  const answered = `${decisionFile(id)}.answer`;
  await rm(answered, { force: true });
  await put(decisionFile(id), JSON.stringify(await input()));
  for (;;) {
    const answer = await readFile(answered, 'utf8').catch(() => null);
    if (answer) {
      const { refused } = JSON.parse(answer);
      if (refused) throw new Error(refused);
      return;
    }
    await later(20);
  }
}

const [what, id] = process.argv.slice(2);
const tasks = { worker, start, result: () => result(id), resolve: () => decide(id), status: async () => console.log(plain(await look(id))) };
await mkdir(folder, { recursive: true });
try {
  await tasks[what]();
} catch (error) {
  console.error(error.message);
  process.exitCode = 1;
}
