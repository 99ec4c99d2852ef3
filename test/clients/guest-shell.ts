/**
 * The shell of a guest, at the other end of a serial port.
 * @module
 */

import { existsSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import type { Output } from './client.js';

/** Longer than a guest takes to boot, on a busy machine where every instruction is translated. */
const PATIENCE_MS = 180_000;

/** Longer than it takes to hear why a machine ended. */
const GOSSIP_MS = 5_000;

/** Line that ends what a script wrote. */
const END = 'mdevfs-end-of-script';

/** What the guest says when it takes commands. */
const READY = 'mdevfs-guest-ready\n';

/** What the scripts of guest/ define, for each script that is run. */
const PRELUDE = 'for script in /scripts/*.sh; do . $script; done';

export class GuestShell {
  #said = '';
  #changed = () => {};
  #socket: Socket | undefined;
  #ended: string | undefined;

  private constructor(
    /** The UNIX socket that the machine's second serial port must be connected to. */
    readonly path: string,
    readonly server: Server,
  ) {
    server.on('connection', (socket) => {
      this.#socket = socket;
      socket.on('data', (text: Buffer) => {
        this.#said += text.toString('latin1');
        this.#changed();
      });
      socket.on('error', () => {});
      // Whoever started the machine knows more, a little later.
      socket.on('close', () => setTimeout(() => this.end('its machine is gone'), GOSSIP_MS).unref());
    });
  }

  /** Waits at a path for the machine. */
  static async listen(path: string): Promise<GuestShell> {
    if (existsSync(path)) throw new Error(`${path} is there already`);
    const server = createServer();
    await new Promise<void>((resolve, reject) => {
      server.on('error', reject).listen(path, resolve);
    });
    return new GuestShell(path, server);
  }

  /** Nothing is to be heard of the guest any more. */
  end(why: string): void {
    this.#ended ??= why;
    this.#changed();
  }

  /** Waits for the guest to have booted. @throws Error when it does not */
  async booted(): Promise<void> {
    const late = Date.now() + PATIENCE_MS;
    // What is sent before would be lost when the port is opened.
    while (!this.#said.includes(READY)) await this.#news('its boot', late);
    const { status, stderr } = await this.run(PRELUDE);
    if (status !== 0 || stderr !== '') throw new Error(`the scripts of the guest: ${stderr}`);
  }

  /** Runs a script and returns what it wrote. @throws Error when the guest ends, or the script does not in a long time */
  async run(script: string): Promise<Output> {
    this.#said = '';
    const late = Date.now() + PATIENCE_MS;
    this.#socket!.write(
      `{ ${script}\n} </dev/null 2>/tmp/stderr; echo "${END} $?"; cat /tmp/stderr; echo ${END}\n`,
    );
    const result = new RegExp(`^([\\s\\S]*?)${END} (\\d+)\n([\\s\\S]*?)${END}\n`);
    for (;;) {
      const [, stdout, status, stderr] = result.exec(this.#said) ?? [];
      if (status !== undefined) return { status: Number(status), stdout: stdout!, stderr: stderr! };
      await this.#news(script, late);
    }
  }

  /** What a script writes, to either. */
  async output(script: string): Promise<string> {
    return (await this.run(`{ ${script}\n} 2>&1`)).stdout;
  }

  close(): void {
    this.#socket?.destroy();
    this.server.close();
  }

  /** Waits for something to change. */
  async #news(doing: string, late: number): Promise<void> {
    if (this.#ended !== undefined)
      throw new Error(`the guest ended (${this.#ended}) in: ${doing}\n${this.#said}`);
    const patience = late - Date.now();
    if (patience <= 0) throw new Error(`no end in: ${doing}\n${this.#said}`);
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, patience);
      this.#changed = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}
