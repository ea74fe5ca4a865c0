// The records of the contract are those of `dist/interfaces/fhir-import-workflow-types.d.ts`, which is generated from `wit/`:
// names in camelCase, 64-bit numbers as bigint, variants as `{ tag, val }`.

import type {
  Decision, Event, Next, Pause, Report, Request, Started, Status, Transition,
} from './dist/interfaces/fhir-import-workflow-types.js';

export type { Decision, Event, Next, Pause, Report, Request, Started, Status, Transition };

/** What an importer may reach. */
export interface Network {
  /** The FHIR base URL. Its origin is allowed, and alone gets the credential. */
  server: string;
  /** Further origins. */
  allow?: string[];
  /** The value of the `Authorization` header. The component never sees it. */
  authorization?: string;
}

/** `importer.wasm` on a thread of its own. Each call is a fresh instance. */
export interface Importer {
  readonly server: string;
  start(request: Request): Promise<Started>;
  step(plan: string, checkpoint: string): Promise<Transition>;
  /** The kick-off: never repeat it. When its transition was not stored, call `recover`. */
  submit(plan: string, checkpoint: string): Promise<Transition>;
  recover(plan: string, checkpoint: string): Promise<Transition>;
  resolve(plan: string, checkpoint: string, decision: Decision): Promise<Transition>;
  inspect(plan: string, checkpoint: string): Promise<Status>;
  close(): Promise<number>;
}

/** A wrong call, in the component's words. */
export class ImportError extends Error {
  /** The contract's case, for example `permanent-invalid-checkpoint`; `execution-failed` when the call died. */
  readonly kind: string;
}

/** The server is not among those that this process may import to, or its credential cannot be read. */
export class NotAllowed extends Error {}

/** Somebody else drives this import. */
export class Busy extends Error {}

export function open(network: Network): Promise<Importer>;

/** Where a credential is: `{ "bearer-env": "FHIR_TOKEN" }`, or `bearer-file`, `basic-env`, `basic-file`. */
export type CredentialFrom = Partial<Record<'bearer-env' | 'bearer-file' | 'basic-env' | 'basic-file', string>>;

/** What a process may reach, as whoever runs it wrote down. */
export interface Rights {
  servers: { url: string; credential?: CredentialFrom }[];
  allow?: string[];
}

export function importerFor(rights: Rights, server: string): Promise<Importer>;

/** What `drive` needs of a store. Everything is durable when a call returns. */
export interface Store {
  has(id: string): Promise<boolean>;
  create(id: string, plan: string, checkpoint: string): Promise<void>;
  /** `intent`: a kick-off was about to be sent with this checkpoint. */
  load(id: string): Promise<{ plan: string; checkpoint: string; intent: boolean }>;
  intend(id: string, checkpoint: string): Promise<void>;
  save(id: string, checkpoint: string): Promise<void>;
  /** The right to drive an import, given back by the function; `null` when somebody else has it. */
  lock(id: string): Promise<(() => Promise<void>) | null>;
}

/** A folder for each import, for processes of one machine. */
export interface FolderStore extends Store {}
export class FolderStore {
  constructor(folder: string);
}

/** How a drive ended; `detached`: it was asked to leave, and everything is stored. */
export type End = Extract<Next, { tag: 'done' | 'paused' }> | { tag: 'detached' };

/** Makes the plan of a request and stores it, unless the store has it already. Sends nothing. */
export function begin(at: { importer: Importer; store: Store; request: Request }): Promise<void>;

/** Drives an import that the store has until it is over or paused; again, in any process, from where it stopped. */
export function drive(at: {
  importer: Importer;
  store: Store;
  id: string;
  /** Returns when it is so late, in Unix milliseconds; `setTimeout` unless given. */
  sleepUntil?: (atMs: number, signal?: AbortSignal) => Promise<unknown>;
  /** Asks the drive to leave before its next call. */
  signal?: AbortSignal;
  onEvent?: (event: Event) => void;
}): Promise<End>;

/** Takes a person's decision. Sends no kick-off. */
export function resolve(at: { importer: Importer; store: Store; id: string; decision: Decision }): Promise<Next>;
