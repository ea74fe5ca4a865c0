// What a process may reach: written by whoever runs it, in the same form for all adapters (docs/guide/embedding.md).

import { readFile } from 'node:fs/promises';

import { open } from './importer.js';

/** The server is not among those that this process may import to. */
export class NotAllowed extends Error {
  constructor(message) {
    super(message);
    this.name = 'NotAllowed';
  }
}

/**
 * An importer for a server that the rights name, with its credential.
 *
 * @param {{ servers: { url: string, credential?: object }[], allow?: string[] }} rights
 * @param {string} server
 */
export async function importerFor(rights, server) {
  const base = (url) => url.replace(/\/+$/, '');
  const right = rights.servers.find(({ url }) => base(url) === base(server));
  if (!right) {
    const shown = URL.canParse(server) ? new URL(server).origin : 'what is asked for';
    throw new NotAllowed(`${shown} is not among the servers of this process: who runs it can add it to \`servers\``);
  }
  const authorization = right.credential && (await authorizationOf(right.credential));
  return open({ server: base(server), allow: rights.allow, authorization });
}

async function authorizationOf(credential) {
  const [[kind, place]] = Object.entries(credential);
  const text = kind.endsWith('-env') ? process.env[place] : await readFile(place, 'utf8');
  if (text === undefined) throw new NotAllowed(`the credential in the variable ${place} cannot be read: it is not set`);
  const secret = text.replace(/[\r\n]+$/, '');
  switch (kind) {
    case 'bearer-env':
    case 'bearer-file':
      return `Bearer ${secret.trim()}`;
    case 'basic-env':
    case 'basic-file':
      return `Basic ${Buffer.from(secret).toString('base64')}`;
    default:
      throw new NotAllowed(`${kind} is no credential: bearer-env, bearer-file, basic-env or basic-file is`);
  }
}
