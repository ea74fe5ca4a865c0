// A store that any process of this machine can go on from: a folder for each import.

import { createHash } from 'node:crypto';
import { mkdir, open, readdir, readFile, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';

const exists = (path) => stat(path).then(() => true, () => false);
const digest = (text) => createHash('sha256').update(text).digest('hex');

/** Locks of this process so far. */
let locks = 0;

/** Plans, checkpoints and intents in files; what is stored is durable before the call returns. */
export class FolderStore {
  /** @param {string} folder */
  constructor(folder) {
    this.folder = folder;
  }

  #path(id, name) {
    if (!/^[0-9a-f]{32}$/.test(id)) throw new Error('an id has 32 lower-case hex digits');
    return join(this.folder, id, name);
  }

  has(id) {
    return exists(this.#path(id, 'checkpoint'));
  }

  async create(id, plan, checkpoint) {
    await mkdir(this.#path(id, '.'), { recursive: true, mode: 0o700 });
    await this.#write(id, 'plan', plan);
    await this.#write(id, 'checkpoint', checkpoint);
  }

  async load(id) {
    const read = (name) => readFile(this.#path(id, name), 'utf8');
    if (!(await this.has(id))) throw new Error(`there is no import ${id} in ${this.folder}`);
    const plan = await read('plan').catch(() => {
      throw new Error(`the plan of import ${id} is missing in ${this.folder}: restore it from a copy`);
    });
    const checkpoint = await read('checkpoint');
    const intended = await read('intent').catch(() => '');
    return { plan, checkpoint, intent: intended === digest(checkpoint) };
  }

  /** The kick-off of this checkpoint is about to be sent. */
  intend(id, checkpoint) {
    return this.#write(id, 'intent', digest(checkpoint));
  }

  /** What was decided. An intent belongs to its checkpoint, and is over with it, also when the same comes again later. */
  async save(id, checkpoint) {
    await this.#write(id, 'checkpoint', checkpoint);
    await rm(this.#path(id, 'intent'), { force: true });
  }

  async #write(id, name, text) {
    const path = this.#path(id, name);
    const unfinished = this.#path(id, `new.${name}`);
    const file = await open(unfinished, 'w', 0o600);
    try {
      await file.writeFile(text);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(unfinished, path);
    const folder = await open(this.#path(id, '.'));
    await folder.sync().finally(() => folder.close());
  }

  /**
   * The right to drive an import; `null` when somebody who lives has it, or wants it at the same moment. Each makes a
   * file of its own first and looks for others then, so that of two at least one sees the other.
   */
  async lock(id) {
    await mkdir(this.#path(id, '.'), { recursive: true, mode: 0o700 });
    const number = (locks += 1);
    const own = `driver.${process.pid}.${await startOf(process.pid)}.${number}`;
    const release = () => rm(this.#path(id, own), { force: true });
    await this.#write(id, own, '');
    const others = (await readdir(this.#path(id, '.'))).filter((name) => name.startsWith('driver.') && name !== own);
    for (const other of others) {
      const [, pid, start] = other.split('.');
      if ((await startOf(pid)) === start) {
        await release();
        return null;
      }
      await rm(this.#path(id, other), { force: true });
    }
    return release;
  }
}

/**
 * When a process started, which tells it from another one of the same number: in a container, every process has the
 * same. `gone` when there is none; where the system does not say, a process that lives counts as the same.
 */
async function startOf(pid) {
  try {
    process.kill(pid, 0);
  } catch (error) {
    if (error.code !== 'EPERM') return 'gone';
  }
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '');
  // The 22nd field; the second one is a name in parentheses.
  return stat.slice(stat.lastIndexOf(')')).split(' ')[20] ?? 'alive';
}
