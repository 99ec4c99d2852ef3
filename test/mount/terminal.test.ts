import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import t, { type Test } from 'tap';
import { main, plain, run } from './command.js';
import { noMounts, noNamespaces, until } from './mounted.js';

const skip =
  noMounts() ?? noNamespaces() ?? (existsSync('/usr/bin/script') ? false : 'script is not installed');

const CTRL_C = '\x03';
const CTRL_Z = '\x1a';
const PROMPT = '(mdevfs) ';

/** A program on a terminal of its own, which script(1) makes. */
class Terminal {
  #text = '';
  readonly #script: ChildProcess;
  readonly ended: Promise<unknown[]>;

  constructor(t: Test, command: string) {
    // Whatever bash reads at its start may change the prompt.
    const env = { ...process.env, SHELL: '/bin/bash', HOME: '/nonexistent', TERM: 'dumb' };
    this.#script = spawn('env', [...plain, 'script', '-qefc', command, '/dev/null'], { env, stdio: 'pipe' });
    this.#script.stdout!.on('data', (text: Buffer) => {
      this.#text += text.toString();
    });
    this.ended = once(this.#script, 'close');
    t.teardown(async () => {
      this.#script.kill('SIGKILL');
      await this.ended;
    });
  }

  /** Types, and waits for what comes after that. @returns what came */
  async type(keys: string, awaited: string): Promise<string> {
    this.#text = '';
    this.#script.stdin!.write(keys);
    return this.shows(awaited);
  }

  async shows(awaited: string): Promise<string> {
    await until(`the terminal shows ${awaited}`, () => this.#text.includes(awaited)).catch((error: Error) => {
      throw new Error(`${error.message}; it shows ${JSON.stringify(this.#text)}`);
    });
    return this.#text;
  }
}

const mdevfsRun = `${process.execPath} ${main} run`;

t.test('a shell at /sys has a prompt that says so, and jobs', { skip }, async (t) => {
  const terminal = new Terminal(t, mdevfsRun);
  await terminal.shows(PROMPT);
  t.match(await terminal.type('ls /sys/class/mdev_bus\n', PROMPT), 'mtty');
  await terminal.type('echo begin$((1)); sleep 1000\n', 'begin1');
  t.match(await terminal.type(CTRL_C, PROMPT), '^C', 'Ctrl-C ends the command, not the shell');
  t.match(await terminal.type('echo status $?\n', 'status 1'), 'status 130');
  await terminal.type('echo begin$((2)); sleep 1000\n', 'begin2');
  await terminal.type(CTRL_Z, PROMPT);
  t.match(await terminal.type('jobs\n', 'sleep 1000'), 'Stopped');
  await terminal.type('kill -9 %1; wait; echo over$((1))\n', 'over1');
  await terminal.type('exit 7\n', 'exit');
  t.same(await terminal.ended, [7, null], 'its exit status is that of run');
});

t.test('run is a job of the shell it is typed in', { skip }, async (t) => {
  const terminal = new Terminal(t, "env PS1='outside> ' bash --norc -i");
  await terminal.shows('outside> ');
  const script = `'echo begin; while :; do sleep 0.1; done'`;
  await terminal.type(`${mdevfsRun} -- sh -c ${script}\n`, '\nbegin');
  t.match(await terminal.type(CTRL_Z, 'outside> '), 'Stopped', 'Ctrl-Z stops all of it');
  await terminal.type('fg\n', 'run --');
  await terminal.type(CTRL_C, 'outside> ');
  t.match(await terminal.type('echo status $?\n', 'status 1'), 'status 130', 'Ctrl-C ends all of it');
  await terminal.type('exit 0\n', 'exit');
  t.same(await terminal.ended, [0, null]);
});

t.test('what takes long says so, and how far it is', { skip }, async (t) => {
  const module = new URL('../../src/cli/progress.js', import.meta.url).href;
  const slow = `import('${module}').then(({ withProgress }) =>
    withProgress('working', new Promise((resolve) => setTimeout(resolve, 1500)), () => '3 files')).then(() => console.log('over'))`;
  const terminal = new Terminal(t, `${process.execPath} -e "${slow}"`);
  t.match(await terminal.shows('over'), /working \.\.\. 1 s, 3 files/);
  t.equal(run(process.execPath, ['-e', slow]).stderr, '', 'not where nobody watches');
});
