/**
 * A shell that lives as long as a test, in namespaces of its own, for programs that work together with a daemon.
 * @module
 */

import { type ChildProcess, spawn } from 'node:child_process';
import type { Test } from 'tap';
import { main, plain } from '../mount/command.js';
import { GPU, type Output, UUID, UUID2 } from './client.js';

/** Long enough for a busy machine. */
const PATIENCE_MS = 90_000;

/** Line that ends what a script wrote. */
const END = 'mdevfs-end-of-script';

/** What starts a session under `mdevfs run`. */
export const inRun = (...options: string[]) => [
  process.execPath,
  main,
  ...['run', '--host', 'clients', ...options, '--'],
];

/** One whose mounts are its own, and whose processes end with it. */
export const underRun = (...options: string[]) => [
  ...inRun(...options),
  ...['unshare', '--mount', '--propagation', 'private', '--pid', '--fork', '--kill-child', '--mount-proc'],
];

export class Session {
  #stdout = '';
  #stderr = '';
  #changed = () => {};
  #ended = false;

  private constructor(readonly shell: ChildProcess) {
    shell.stdout!.on('data', (text: Buffer) => {
      this.#stdout += text.toString();
      this.#changed();
    });
    shell.stderr!.on('data', (text: Buffer) => {
      this.#stderr += text.toString();
      this.#changed();
    });
    shell.on('close', () => {
      this.#ended = true;
      this.#changed();
    });
    // A shell that is gone is noticed by its end.
    shell.stdin!.on('error', () => {});
  }

  /**
   * Starts a shell that ends with the test, and with it all that it started if it is the first of its PID namespace.
   * @param prefix command and arguments that run the command that follows them
   * @param env variables, besides those of this process
   */
  static start(t: Test, prefix: readonly string[], env: Record<string, string> = {}): Session {
    const words = [...plain, ...prefix, 'bash', '--norc'];
    const shell = spawn('env', words, {
      env: { ...process.env, LC_ALL: 'C', U: UUID, U2: UUID2, P: GPU, ...env },
      stdio: 'pipe',
    });
    const session = new Session(shell);
    t.teardown(() => session.#stop());
    return session;
  }

  /** Runs a script and returns what it wrote. @throws Error when the shell ends, or the script does not in a long time */
  async run(script: string): Promise<Output> {
    this.#stdout = '';
    this.#stderr = '';
    this.shell.stdin!.write(`{ ${script}\n} </dev/null; echo "${END} $?"; echo "${END}" >&2\n`);
    const result = new RegExp(`^([\\s\\S]*?)${END} (\\d+)\n`);
    const errors = new RegExp(`^([\\s\\S]*?)${END}\n`);
    const late = Date.now() + PATIENCE_MS;
    for (;;) {
      const out = result.exec(this.#stdout);
      const err = errors.exec(this.#stderr);
      if (out && err) return { status: Number(out[2]), stdout: out[1]!, stderr: err[1]! };
      if (this.#ended || Date.now() > late) {
        throw new Error(
          `${this.#ended ? 'the shell ended' : 'no end'} in: ${script}\n${this.#stdout}${this.#stderr}`,
        );
      }
      await this.#news(late - Date.now());
    }
  }

  /** What a script writes, to either. */
  async output(script: string): Promise<string> {
    return (await this.run(`{ ${script}\n} 2>&1`)).stdout;
  }

  #news(patience: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, Math.max(patience, 0));
      this.#changed = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  async #stop(): Promise<void> {
    this.shell.stdin!.end();
    const timer = setTimeout(() => this.shell.kill('SIGKILL'), 5_000);
    while (!this.#ended) await this.#news(PATIENCE_MS);
    clearTimeout(timer);
  }
}
