// The thread of an importer: a fresh instance for each call, so that nothing is left over.

import { readFileSync } from 'node:fs';
import { parentPort, workerData } from 'node:worker_threads';
import { monotonicClock, wallClock } from '@bytecodealliance/preview2-shim/clocks';
import { error, poll, streams } from '@bytecodealliance/preview2-shim/io';
import { types } from '@bytecodealliance/preview2-shim/http';

import { instantiate } from '../dist/importer.js';
import { guarded } from './guard.js';

const modules = new Map();

function module(name) {
  if (!modules.has(name)) {
    modules.set(name, new WebAssembly.Module(readFileSync(new URL(`../dist/${name}`, import.meta.url))));
  }
  return modules.get(name);
}

// All that the component may import.
const imports = {
  'wasi:clocks/monotonic-clock': monotonicClock,
  'wasi:clocks/wall-clock': wallClock,
  'wasi:http/outgoing-handler': guarded(workerData),
  'wasi:http/types': types,
  'wasi:io/error': error,
  'wasi:io/poll': poll,
  'wasi:io/streams': streams,
};

parentPort.on('message', ({ id, name, args }) => {
  try {
    const { importer } = instantiate(module, imports);
    parentPort.postMessage({ id, value: importer[name](...args) });
  } catch (thrown) {
    parentPort.postMessage({ id, error: spoken(thrown) });
  }
});

/** The contract's errors are thrown as they are; whatever else is thrown is a call that died. */
function spoken(thrown) {
  const { tag, val } = thrown ?? {};
  if (typeof tag === 'string') return { kind: tag, message: val ?? 'the call died' };
  return { kind: 'execution-failed', message: `the call died: ${thrown?.message ?? thrown}` };
}
