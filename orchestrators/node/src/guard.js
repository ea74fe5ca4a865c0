// The way out of the component: only to what is allowed, and with the credential only to its own origin.

import { outgoingHandler, types } from '@bytecodealliance/preview2-shim/http';

const SECOND = 1_000_000_000n;
const LIMITS = { connect: 10n * SECOND, firstByte: 120n * SECOND, betweenBytes: 30n * SECOND };

/**
 * wasi:http/outgoing-handler that refuses what is not allowed before a connection is made.
 *
 * @param {{ server: string, allow?: string[], authorization?: string }} network
 */
export function guarded({ server, allow = [], authorization }) {
  const own = new URL(server).origin;
  const allowed = new Set([own, ...allow.map((url) => new URL(url).origin)]);
  return {
    handle(request) {
      const origin = originOf(request);
      if (!origin || !allowed.has(origin)) throw { tag: 'HTTP-request-denied' };
      if (authorization && origin === own) authorize(request, authorization);
      return outgoingHandler.handle(request, limits());
    },
  };
}

function originOf(request) {
  const scheme = request.scheme()?.tag.toLowerCase();
  if (scheme !== 'http' && scheme !== 'https') return null;
  try {
    const url = new URL(`${scheme}://${request.authority()}`);
    return url.username || url.password ? null : url.origin;
  } catch {
    return null;
  }
}

/** The guest's headers are locked, and it never sees this one. */
function authorize(request, authorization) {
  const headers = request.headers();
  const sent = headers.entries();
  const value = new TextEncoder().encode(authorization);
  headers.entries = () => [...sent.filter(([name]) => name.toLowerCase() !== 'authorization'), ['authorization', value]];
}

function limits() {
  const options = new types.RequestOptions();
  options.setConnectTimeout(LIMITS.connect);
  options.setFirstByteTimeout(LIMITS.firstByte);
  options.setBetweenBytesTimeout(LIMITS.betweenBytes);
  return options;
}
