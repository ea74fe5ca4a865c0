// The loop, by the contract's rules (wit/importer.wit): the checkpoint is stored before `next` is acted on, and a kick-off
// that had its intent stored is never sent again, but recovered.

import { setTimeout as later } from 'node:timers/promises';

/** Somebody else drives this import. */
export class Busy extends Error {
  constructor(id) {
    super(`import ${id} is driven by another process: wait for it, or end it first`);
    this.name = 'Busy';
  }
}

/** Timers of Node go wrong beyond 24 days. */
const LONGEST_MS = 24 * 3600 * 1000;

async function until(atMs, signal) {
  for (let left = atMs - Date.now(); left > 0; left = atMs - Date.now()) {
    await later(Math.min(left, LONGEST_MS), undefined, { signal });
  }
}

/**
 * Drives an import that the store has until it is over, paused, or the signal is given: then it leaves before its next
 * call, with everything stored.
 *
 * @returns {Promise<{ tag: 'done' | 'paused', val: object } | { tag: 'detached' }>}
 */
export async function drive({ importer, store, id, signal, sleepUntil = until, onEvent = () => {} }) {
  return alone(store, id, async () => {
    let { plan, checkpoint, intent } = await store.load(id);
    let { next } = await importer.inspect(plan, checkpoint);
    while (next.tag !== 'done' && next.tag !== 'paused') {
      if (next.tag === 'wait') await sleepUntil(Number(next.val.atMs), signal).catch(unlessLeft(signal));
      if (signal?.aborted) return { tag: 'detached' };
      const call = callFor(next, intent);
      if (call === 'submit') await store.intend(id, checkpoint);
      const moved = await importer[call](plan, checkpoint);
      moved.events.forEach(onEvent);
      await store.save(id, moved.checkpoint);
      ({ checkpoint, next } = moved);
      intent = false;
    }
    return next;
  });
}

async function alone(store, id, act) {
  const release = await store.lock(id);
  if (!release) throw new Busy(id);
  return act().finally(release);
}

/** A wait that was broken off is how a drive is asked to leave. */
function unlessLeft(signal) {
  return (error) => {
    if (!signal?.aborted) throw error;
  };
}

function callFor(next, intent) {
  switch (next.tag) {
    case 'submit':
      return intent ? 'recover' : 'submit';
    case 'recover':
      return 'recover';
    default:
      return 'step';
  }
}

/** Makes the plan of a request and stores it, unless the store has it already. Sends nothing. */
export async function begin({ importer, store, request }) {
  if (await store.has(request.id)) return;
  await alone(store, request.id, async () => {
    // Somebody else may have begun it meanwhile, and driven it on.
    if (await store.has(request.id)) return;
    const { plan, documents, transition } = await importer.start(request);
    // Without a place for them they are what other servers would want.
    if (request.documentsUrl && documents.length > 0) {
      throw new Error('documentsUrl: nobody publishes the documents of this plan; leave it out, or publish them and create the plan in the store');
    }
    await store.create(request.id, plan, transition.checkpoint);
  });
}

/** Takes a person's decision. */
export async function resolve({ importer, store, id, decision }) {
  return alone(store, id, async () => {
    let { plan, checkpoint, intent } = await store.load(id);
    const { next } = await importer.inspect(plan, checkpoint);
    // What may have been sent before a crash is found out first.
    if (intent || next.tag === 'recover') ({ checkpoint } = await importer.recover(plan, checkpoint));
    const moved = await importer.resolve(plan, checkpoint, decision);
    await store.save(id, moved.checkpoint);
    return moved.next;
  });
}
