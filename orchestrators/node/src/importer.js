// An importer on a thread of its own: a call into the component blocks its thread while the network answers.

import { Worker } from 'node:worker_threads';

/** A wrong call, in the component's words. `kind` is the contract's case, for example `permanent-invalid-plan`. */
export class ImportError extends Error {
  constructor(kind, message) {
    super(message);
    this.name = 'ImportError';
    this.kind = kind;
  }
}

const CALLS = ['start', 'step', 'submit', 'recover', 'resolve', 'inspect'];

/**
 * Opens an importer that can reach one server.
 *
 * @param {{ server: string, allow?: string[], authorization?: string }} network
 */
export async function open(network) {
  const worker = new Worker(new URL('./thread.js', import.meta.url), { workerData: network });
  const waiting = new Map();
  let calls = 0;
  let gone = null;

  const leave = (error) => {
    gone ??= error;
    waiting.forEach(({ reject }) => reject(gone));
    waiting.clear();
  };
  worker.on('message', ({ id, value, error }) => {
    const { resolve, reject } = waiting.get(id) ?? {};
    waiting.delete(id);
    if (waiting.size === 0) worker.unref();
    if (error) reject?.(new ImportError(error.kind, error.message));
    else resolve?.(value);
  });
  worker.on('error', leave);
  worker.on('exit', () => leave(new ImportError('closed', 'this importer is closed')));
  worker.unref();

  const call = (name, args) =>
    new Promise((resolve, reject) => {
      if (gone) return reject(gone);
      calls += 1;
      waiting.set(calls, { resolve, reject });
      worker.ref();
      worker.postMessage({ id: calls, name, args });
    });
  const importer = Object.fromEntries(CALLS.map((name) => [name, (...args) => call(name, args)]));
  return { ...importer, server: network.server, close: () => worker.terminate() };
}
