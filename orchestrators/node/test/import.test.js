// The package as its users use it, against the practice server (built by cargo, started here, stopped here).

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { randomBytes } from 'node:crypto';
import { createInterface } from 'node:readline';
import { after, before, test } from 'node:test';

import { begin, Busy, drive, FolderStore, ImportError, importerFor, NotAllowed, open, resolve } from '../src/index.js';

const program = new URL('../../../target/release/fhir-import', import.meta.url).pathname;
const PATIENTS = '{"resourceType":"Patient","id":"p1"}\n{"resourceType":"Patient","id":"p2"}\n';

let sandbox, server, files, fileUrl, folder;

before(async () => {
  sandbox = spawn(program, ['sandbox', '--dialect', 'smart-manifest'], { stdio: ['ignore', 'pipe', 'inherit'] });
  [server] = await once(createInterface(sandbox.stdout), 'line');
  files = createServer((_, answer) => answer.setHeader('content-type', 'application/fhir+ndjson').end(PATIENTS));
  await once(files.listen(0, '127.0.0.1'), 'listening');
  fileUrl = `http://127.0.0.1:${files.address().port}/Patient.ndjson`;
  folder = await mkdtemp(join(tmpdir(), 'fhir-import-'));
});

after(async () => {
  sandbox.kill();
  files.close();
  await rm(folder, { recursive: true });
});

function request(more = {}) {
  return {
    id: randomBytes(16).toString('hex'),
    timeMs: BigInt(Date.now()),
    purpose: 'import',
    baseUrl: server,
    dialect: { tag: 'named', val: 'smart-manifest' },
    inputs: [{ url: fileUrl, resourceType: 'Patient', resources: 2n }],
    samples: [{ reference: 'Patient/p2', fingerprint: '' }],
    expected: [],
    settings: [],
    policy: { pollMaxMs: 1_000n, deadlineMs: 600_000n, maxErrors: 0n },
    ...more,
  };
}

async function begun(more) {
  const store = new FolderStore(folder);
  const importer = await open({ server });
  const wanted = request(more);
  await begin({ importer, store, request: wanted });
  return { importer, store, id: wanted.id };
}

test('an import is driven to its verified end', async () => {
  const at = await begun();
  const events = [];
  const end = await drive({ ...at, onEvent: ({ kind }) => events.push(kind) });
  assert.equal(end.tag, 'done');
  assert.deepEqual([end.val.outcome, end.val.verdict, end.val.imported], ['succeeded', 'verified', 2n]);
  assert.ok(events.includes('kick-off-accepted'), events.join());
  assert.deepEqual(await drive(at), end, 'driven again, it says the same');
  await at.importer.close();
});

test('a drive that is asked to leave leaves, and goes on later', async () => {
  const at = await begun();
  const leave = new AbortController();
  const onEvent = ({ kind }) => kind === 'kick-off-accepted' && leave.abort();
  assert.deepEqual(await drive({ ...at, signal: leave.signal, onEvent }), { tag: 'detached' });
  assert.equal((await drive(at)).val.outcome, 'succeeded');
  await at.importer.close();
});

test('two do not drive one import', async () => {
  const at = await begun();
  const both = await Promise.allSettled([drive(at), drive(at)]);
  const refused = both.filter(({ status }) => status === 'rejected');
  assert.ok(refused.length > 0 && refused.every(({ reason }) => reason instanceof Busy));
  assert.equal((await drive(at)).val.outcome, 'succeeded');
  await at.importer.close();
});

test('what a dead process left behind does not lock an import, also when its number is taken again', async () => {
  const at = await begun();
  await writeFile(join(folder, at.id, `driver.${process.pid}.1.7`), '');
  await writeFile(join(folder, at.id, 'driver.999999999.1.1'), '');
  assert.equal((await drive(at)).val.outcome, 'succeeded');
  await at.importer.close();
});

test('an import that was begun is not begun again', async () => {
  const at = await begun();
  const { checkpoint } = await at.store.load(at.id);
  const again = () => begin({ ...at, request: request({ id: at.id }) });
  await drive(at);
  await again();
  assert.notEqual((await at.store.load(at.id)).checkpoint, checkpoint);
  await at.importer.close();
});

test('what is not allowed is not reached', async () => {
  const store = new FolderStore(folder);
  const importer = await open({ server: 'http://127.0.0.1:9/fhir' });
  const wanted = request({ dialect: { tag: 'detect' } });
  await begin({ importer, store, request: wanted });
  const end = await drive({ importer, store, id: wanted.id });
  assert.equal(end.val.outcome, 'unreachable', end.val.sentence);
  await importer.close();
});

test('a server that the rights do not name has no importer', async () => {
  await assert.rejects(importerFor({ servers: [{ url: server }] }, 'https://other.example/fhir'), NotAllowed);
});

test('a wrong call is an error in the words of the component', async () => {
  const { importer, store, id } = await begun();
  const { plan, checkpoint } = await store.load(id);
  const refused = (kind) => (error) => error instanceof ImportError && error.kind === kind && error.message.length > 10;
  await assert.rejects(importer.start(request({ id: 'short' })), refused('permanent-invalid-request'));
  await assert.rejects(importer.step('no plan', checkpoint), refused('permanent-invalid-plan'));
  const newer = checkpoint.replace('"version":1', '"version":99');
  assert.notEqual(newer, checkpoint);
  await assert.rejects(importer.step(plan, newer), refused('permanent-invalid-checkpoint'));
  await assert.rejects(resolve({ importer, store, id, decision: { tag: 'resubmit' } }), refused('permanent-invalid-call'));
  await importer.close();
});

test('a call does not block the thread that waits for it', async () => {
  const slow = createServer((_, answer) => setTimeout(() => answer.end('{}'), 300));
  await once(slow.listen(0, '127.0.0.1'), 'listening');
  const base = `http://127.0.0.1:${slow.address().port}/fhir`;
  const importer = await open({ server: base });
  const { plan, transition } = await importer.start(request({ baseUrl: base, dialect: { tag: 'detect' } }));
  let turns = 0;
  const counting = setInterval(() => (turns += 1), 10);
  await importer.step(plan, transition.checkpoint);
  clearInterval(counting);
  assert.ok(turns >= 5, `${turns} turns of the event loop in 300 ms`);
  await importer.close();
  slow.close();
});
