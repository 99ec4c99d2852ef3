/**
 * The control protocol of QEMU (docs/interop/qmp-spec): a line of JSON each way, and events in between.
 * @module
 */

import { createServer, type Server, type Socket } from 'node:net';

/** Longer than any command takes on a busy machine. */
const PATIENCE_MS = 60_000;

export interface QmpEvent {
  event: string;
  data?: Record<string, unknown>;
}

interface Waiter {
  resolve(value: unknown): void;
  reject(error: Error): void;
}

export class Qmp {
  /** All that happened so far. */
  readonly events: QmpEvent[] = [];
  readonly #waiting = new Map<number, Waiter>();
  #watching: Array<() => void> = [];
  #socket: Socket | undefined;
  #rest = '';
  #commands = 0;
  #ended: string | undefined;
  readonly #ready: Promise<void>;

  private constructor(
    /** The UNIX socket that QEMU must be told to connect to. */
    readonly path: string,
    readonly server: Server,
  ) {
    this.#ready = new Promise((resolve, reject) => {
      this.#waiting.set(0, { resolve: () => resolve(), reject });
    });
    this.#ready.catch(() => {});
    server.on('connection', (socket) => {
      this.#socket = socket;
      socket.on('data', (text: Buffer) => {
        const lines = (this.#rest + text.toString()).split('\n');
        this.#rest = lines.pop()!;
        for (const line of lines) this.#take(JSON.parse(line));
      });
      socket.on('error', () => {});
    });
  }

  /** Waits at a path for QEMU. */
  static async listen(path: string): Promise<Qmp> {
    const server = createServer();
    await new Promise<void>((resolve, reject) => {
      server.on('error', reject).listen(path, resolve);
    });
    return new Qmp(path, server);
  }

  /** Runs a command. @throws Error with QEMU's class and text when it fails */
  async execute<T = unknown>(command: string, args: object = {}): Promise<T> {
    await this.#ready;
    return (await this.#send(command, args)) as T;
  }

  /** What a command of the monitor for people prints. */
  async monitor(command: string): Promise<string> {
    const text = await this.execute<string>('human-monitor-command', { 'command-line': command });
    return text.replaceAll('\r\n', '\n');
  }

  /** Waits for an event, which may have been before. @param fits tells it from others of the name */
  async event(
    name: string,
    fits: (data: Record<string, unknown>) => boolean = () => true,
  ): Promise<QmpEvent> {
    const late = Date.now() + PATIENCE_MS;
    for (;;) {
      const found = this.events.find(({ event, data }) => event === name && fits(data ?? {}));
      if (found) return found;
      if (this.#ended !== undefined) throw new Error(`no event ${name}: ${this.#ended}`);
      if (Date.now() >= late) throw new Error(`no event ${name} in a long time`);
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, late - Date.now());
        this.#watching.push(() => {
          clearTimeout(timer);
          resolve();
        });
      });
    }
  }

  /** Nothing is to be heard of QEMU any more. */
  end(why: string): void {
    this.#ended ??= why;
    for (const waiter of this.#waiting.values()) waiter.reject(new Error(this.#ended));
    this.#waiting.clear();
    this.#wake();
  }

  close(): void {
    this.end('the test has ended');
    this.#socket?.destroy();
    this.server.close();
  }

  #send(command: string, args: object): Promise<unknown> {
    if (this.#ended !== undefined) throw new Error(`${command}: ${this.#ended}`);
    const id = ++this.#commands;
    this.#socket!.write(`${JSON.stringify({ execute: command, arguments: args, id })}\n`);
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error(`${command}: no answer`)), PATIENCE_MS);
      const end = () => {
        clearTimeout(timer);
        this.#waiting.delete(id);
      };
      this.#waiting.set(id, {
        resolve: (value) => {
          end();
          resolve(value);
        },
        reject: (error) => {
          end();
          reject(new Error(`${command}: ${error.message}`));
        },
      });
    });
  }

  #take(message: {
    QMP?: object;
    event?: string;
    data?: Record<string, unknown>;
    id?: number;
    return?: unknown;
    error?: { class: string; desc: string };
  }): void {
    if (message.QMP) {
      const ready = this.#waiting.get(0)!;
      this.#waiting.delete(0);
      this.#send('qmp_capabilities', {}).then(ready.resolve, ready.reject);
    } else if (message.event !== undefined) {
      this.events.push(message as QmpEvent);
      this.#wake();
    } else {
      const waiter = this.#waiting.get(message.id!);
      if (message.error) waiter?.reject(new Error(`${message.error.class}: ${message.error.desc}`));
      else waiter?.resolve(message.return);
    }
  }

  #wake(): void {
    const watching = this.#watching;
    this.#watching = [];
    for (const wake of watching) wake();
  }
}
