/**
 * Traces of ioctls, one a line, as a case: `fd=12(/dev/vfio/7) req=0x3b67 in=0800000000000000 ret=0 out=...`. A trace
 * holds no other calls; that a file was opened or closed shows in the numbers and paths. What the device was shows in
 * none of its lines: it was an `mtty-1`.
 * @module
 */

import { readFileSync } from 'node:fs';
import { nameOfRequest } from './flags.js';
import type { Case, RecordingFile, Step } from './recording.js';
import { sampleTypes } from './unrecorded.js';

const UUID = '83b8f4f2-509f-382f-3c1e-e6bfe0fa1001';
const LINE = /^fd=(\d+)\((.*?)\) req=(0x[0-9a-f]+) (.*)$/;
const REFERENCE = /fd=(\d+)\((\/dev\/[^)]*)\)/g;

/** Requests that name a file by its number, and where they do. */
const carried: Readonly<Record<string, number>> = {
  VFIO_GROUP_SET_CONTAINER: 0,
  VFIO_DEVICE_BIND_IOMMUFD: 8,
};
const IRQ_SET_DATA = 20;

export function readTrace(file: RecordingFile): Case {
  const text = readFileSync(file.path, 'utf8');
  const lines = text.split('\n').filter((line) => LINE.test(line));
  const trace = new Trace(lines);
  return { id: file.name, desc: 'what a program did with device files', steps: trace.steps(text) };
}

class Trace {
  /** What each number stands for at present. */
  readonly #open = new Map<number, string>();
  readonly #steps: Step[] = [];

  constructor(readonly lines: readonly string[]) {}

  steps(text: string): Step[] {
    const uuid = /str="([0-9a-f-]{36})"/.exec(text)?.[1] ?? UUID;
    this.#steps.push({
      op: 'echo',
      args: { path: `${sampleTypes.mtty}/create`, data: { s: uuid } },
      ret: uuid.length,
      tag: 'setup',
    });
    for (const index of this.lines.keys()) this.#line(index);
    return this.#steps;
  }

  #line(index: number): void {
    const [line = '', fd, , request, rest = ''] = LINE.exec(this.lines[index]!)!;
    for (const [, number, file = ''] of line.matchAll(REFERENCE)) this.#openFile(Number(number), file);
    const field = (name: string): string | undefined =>
      new RegExp(`(?:^| )${name}=("[^"]*"|\\S+)`).exec(rest)?.[1];
    const req = nameOfRequest(Number(request)) ?? Number(request);
    const name = field('str')?.slice(1, -1);
    const input = name === undefined ? field('in') : Buffer.from(`${name}\0`).toString('hex');
    const args: Record<string, unknown> = { fd: `fd${fd}`, req };
    if (input === undefined) args.arg = Number(field('arg') ?? 0);
    else args.in = input;
    const referred = input === undefined ? undefined : this.#referred(index, req, Buffer.from(input, 'hex'));
    if (referred !== undefined) args.fdarg = referred;
    const attribute = /attrfd=(\d+)/.exec(rest)?.[1];
    if (attribute !== undefined) args.addr = { int32_fd: `fd${attribute}` };

    const step: Step = { op: 'ioctl', args };
    const errno = /errno=\d+\((\w+)\)/.exec(rest)?.[1];
    const out = field('out');
    if (out !== undefined) step.out = out;
    if (errno !== undefined) step.errno = errno;
    else step.ret = this.#result(req, Number(field('ret')));
    if (req === 'KVM_CREATE_DEVICE' && out !== undefined) {
      const number = Buffer.from(out, 'hex').readInt32LE(4);
      step.newfd = `fd${number}`;
      this.#open.set(number, 'returned');
    }
    this.#steps.push(step);
  }

  #openFile(number: number, path: string): void {
    const known = this.#open.get(number);
    if (known === path) return;
    if (known !== undefined) this.#steps.push({ op: 'close', args: { fd: `fd${number}` } });
    this.#open.set(number, path);
    this.#steps.push({ op: 'open', args: { path, flags: 'O_RDWR' }, ret: `fd${number}` });
  }

  /** A descriptor by its name, where the request returns one. */
  #result(request: unknown, result: number): unknown {
    if (request !== 'KVM_CREATE_VM' && request !== 'VFIO_GROUP_GET_DEVICE_FD') return result;
    if (this.#open.has(result)) this.#steps.push({ op: 'close', args: { fd: `fd${result}` } });
    this.#open.set(result, 'returned');
    return `fd${result}`;
  }

  /** The file that a structure names: opened now if it was not used before. */
  #referred(index: number, request: unknown, bytes: Buffer): string | number | undefined {
    if (request === 'VFIO_DEVICE_SET_IRQS')
      return bytes.length > IRQ_SET_DATA ? bytes.readInt32LE(IRQ_SET_DATA) : undefined;
    const at = carried[String(request)];
    if (at === undefined) return undefined;
    const number = bytes.readInt32LE(at);
    const next = this.lines.slice(index).find((line) => line.startsWith(`fd=${number}(`));
    if (next) this.#openFile(number, LINE.exec(next)![2]!);
    return `fd${number}`;
  }
}
