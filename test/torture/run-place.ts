/**
 * The inside of `mdevfs run`. Programs are started by a shell there, and have numbers of their own, which are those of a
 * PID namespace.
 * @module
 */

import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { familyOf } from './family.js';
import { pidOf } from '../../src/host/pid-namespace.js';
import { startTime } from '../../src/host/record.js';
import { Client, until } from './client.js';
import { mdevfs } from './mount-place.js';
import { asUser, type Place, type Start } from './place.js';
import type { Context } from './scenario.js';
import { abortConnections, connectionsOf, scratchFolder } from './scratch.js';

export class RunPlace implements Place {
  readonly sys = '/sys';
  readonly dev = '/dev';
  #started = 0;

  private constructor(
    readonly folder: string,
    readonly child: ChildProcess,
    /** The shell inside. */
    readonly shell: number,
    readonly daemon: number,
    /** Ends it, by force if it must be. */
    readonly end: () => Promise<void>,
  ) {}

  static async make({ scope }: Context, fixture = 'default'): Promise<RunPlace> {
    const folder = scratchFolder(scope);
    const output = openSync(join(folder, 'log'), 'w');
    const words = ['run', '-f', fixture, '--', 'sh', '-c', `exec 2>${folder}/shell; echo up >&2; exec sh`];
    const child = spawn(mdevfs[0]!, [...mdevfs.slice(1), ...words], {
      cwd: '/',
      detached: true,
      stdio: ['pipe', output, output],
      env: { ...process.env, LC_ALL: 'C', NODE_OPTIONS: '' },
    });
    closeSync(output);
    child.stdin!.on('error', () => {});
    const found = { shell: 0, daemon: 0 };
    const end = (): Promise<void> => endRun(child, found);
    scope.defer(end);
    writeFileSync(join(folder, 'shell'), '');
    const up = () => readFileSync(join(folder, 'shell'), 'utf8').includes('up');
    // Having said so, the shell becomes the one that commands are written to.
    await until(() => child.exitCode !== null || (up() && find(child.pid!, found)));
    if (!found.daemon || !found.shell)
      throw new Error(`mdevfs run did not come up: ${readFileSync(join(folder, 'log'), 'utf8')}`);
    return new RunPlace(folder, child, found.shell, found.daemon, end);
  }

  get tree(): string {
    return `/proc/${this.shell}/root/sys`;
  }

  get log(): string {
    return readFileSync(join(this.folder, 'log'), 'utf8');
  }

  async start(argv: readonly string[], options: Start = {}): Promise<Client> {
    const file = join(this.folder, `output-${this.#started++}`);
    const words = asUser(argv, options).map((word) => `'${word}'`);
    writeFileSync(file, '');
    writeFileSync(`${file}.pid`, '');
    // Not before its number is known.
    const hold = `until [ -e ${file}.go ]; do sleep 0.01; done; exec ${words.join(' ')}`;
    const command = `setsid sh -c "${hold}" > ${file} 2>&1 < /dev/null & echo $! > ${file}.pid`;
    this.child.stdin!.write(`${command}\n`);
    const inside = (): number => Number(readFileSync(`${file}.pid`, 'latin1'));
    if ((await until(() => inside() > 0)) === undefined)
      throw new Error('the shell in the run does not answer');
    const pid = pidOf(this.shell, inside());
    if (pid === undefined) throw new Error(`${argv[0]} has ended at once`);
    const client = new Client(options.as ?? argv[0]!.split('/').at(-1)!, pid, file);
    writeFileSync(`${file}.go`, '');
    return client;
  }
}

/** Looks for the daemon and the shell of a run. */
function find(run: number, found: { shell: number; daemon: number }): boolean {
  for (const pid of familyOf(run)) {
    let command: string[];
    try {
      command = readFileSync(`/proc/${pid}/cmdline`, 'latin1').split('\0');
    } catch {
      // It has ended meanwhile.
      continue;
    }
    if (command[0]?.endsWith('node') && command.includes('serve-run')) found.daemon ||= pid;
    else if (command[0] === 'sh' && command.length === 2) found.shell = pid;
  }
  return found.daemon > 0 && found.shell > 0;
}

/** Ends a run, also one whose daemon or clients wait for each other. */
async function endRun(
  child: ChildProcess,
  { shell, daemon }: { shell: number; daemon: number },
): Promise<void> {
  const connections =
    shell && startTime(shell) !== undefined ? connectionsOf(shell, ['/sys', '/dev', '/run']) : [];
  const family = child.exitCode === null && child.signalCode === null ? familyOf(child.pid!) : [daemon];
  const born = new Map(family.filter((pid) => pid > 0).map((pid) => [pid, startTime(pid)]));
  const left = (): number[] =>
    [...born].flatMap(([pid, start]) => (start !== undefined && startTime(pid) === start ? [pid] : []));
  const gone = async (): Promise<boolean> => {
    for (let tries = 0; tries < 150; tries++) {
      if (left().length === 0) return true;
      await new Promise((done) => setTimeout(done, 20));
    }
    return false;
  };
  child.stdin!.end();
  if (await gone()) return;
  for (const pid of left()) process.kill(pid, 'SIGKILL');
  if (await gone()) return;
  abortConnections(connections);
  for (const pid of left()) process.kill(pid, 'SIGKILL');
  if (!(await gone())) throw new Error(`processes ${left().join(', ')} of mdevfs run do not end`);
}
