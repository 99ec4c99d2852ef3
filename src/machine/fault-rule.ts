/**
 * A rule of fault injection (`struct fault_attr`): what it means, and whether it strikes this time.
 * @module
 */

import type { DeviceCall } from '../base/fault.js';
import { Device } from '../base/device.js';
import type { DeviceDriver } from '../base/driver.js';
import type { CharFile } from '../base/file.js';
import type { KernfsNode } from '../kernfs/node.js';
import { Errno, type ErrnoName } from '../lib/errno.js';
import type { Clock } from '../lib/clock.js';
import type { Fault } from '../lib/fault.js';
import { globMatcher } from '../lib/glob.js';
import { random } from '../lib/random.js';
import { PathPattern } from './fault-path.js';
import { ioctlRequest } from './fault-request.js';
import type { FaultOperation, FaultRuleData } from './fault-schema.js';

type Matcher = (name: string) => boolean;

const words = [
  'op',
  'path',
  'device',
  'parent',
  'driver',
  'request',
  'errno',
  'delay',
  'short',
  'times',
] as const;
const matcher = (pattern: string | undefined): Matcher | undefined =>
  pattern === undefined ? undefined : globMatcher(pattern);
const quoted = (text: string) => (/[\s"\\]/.test(text) ? JSON.stringify(text) : text);

export class FaultRule {
  /** Operations that it was asked about, and those that it struck. */
  calls = 0;
  hits = 0;
  readonly operations: ReadonlySet<FaultOperation>;
  readonly #fault: Fault;
  readonly #request: number | undefined;
  readonly #device: Matcher | undefined;
  readonly #parent: Matcher | undefined;
  readonly #driver: Matcher | undefined;
  /** Of a file's name, for a pattern without slashes. */
  readonly #name: Matcher | undefined;
  /** Of a file's place: in sysfs, or below /dev. */
  readonly #place: PathPattern | undefined;
  readonly #inDev: boolean;
  readonly #chance: () => number;

  constructor(
    readonly id: number,
    readonly data: FaultRuleData,
    clock: Clock,
  ) {
    const { op, path, device, parent, driver, request, errno, delay, short, seed } = data;
    this.operations = new Set(op.split(',') as FaultOperation[]);
    this.#fault = {
      delay: delay === undefined ? undefined : () => clock.sleep(delay),
      errno: errno === undefined ? undefined : Errno[errno as ErrnoName],
      short,
    };
    this.#request = request === undefined ? undefined : ioctlRequest(request);
    this.#device = matcher(device);
    this.#parent = matcher(parent);
    this.#driver = matcher(driver);
    this.#inDev = path?.startsWith('/dev/') ?? false;
    if (path?.includes('/')) this.#place = new PathPattern(path.replace(/^\/(sys|dev)\//, ''));
    else this.#name = matcher(path);
    this.#chance = random(seed);
  }

  /** Whether it will never strike again. */
  get isSpent(): boolean {
    return this.data.times !== undefined && this.hits >= this.data.times;
  }

  /** Whether it may be about a file of the machine. */
  meansFile(node: KernfsNode, operation: FaultOperation, inDev: boolean): boolean {
    if (!this.operations.has(operation)) return false;
    if (this.#place && (inDev !== this.#inDev || !this.#place.matches(node))) return false;
    if (this.#name && !this.#name(node.name)) return false;
    return this.#meansDevice(deviceAbove(node));
  }

  meansDriver(operation: 'probe' | 'remove', device: Device, driver: DeviceDriver | undefined): boolean {
    return this.operations.has(operation) && this.#meansDevice(device, driver);
  }

  meansCall(file: CharFile, { operation, path, request }: DeviceCall): boolean {
    if (!this.operations.has(operation)) return false;
    if (this.#request !== undefined && request !== this.#request) return false;
    if (this.data.path !== undefined && !this.#meansPath(path)) return false;
    return this.#meansDevice(file.subject);
  }

  #meansPath(path: string): boolean {
    if (this.#name) return this.#name(path.slice(path.lastIndexOf('/') + 1));
    return this.#inDev && globMatcher(this.data.path!)(path);
  }

  #meansDevice(device: Device | undefined, driver = device?.driver): boolean {
    if (this.#device && !(device && this.#device(device.name))) return false;
    if (this.#parent && !(device?.parent && this.#parent(device.parent.name))) return false;
    return !this.#driver || (driver !== undefined && this.#driver(driver.name));
  }

  /** Whether this operation, which it is about, gets its fault. */
  shouldFail(): Fault | undefined {
    const { interval, probability } = this.data;
    if (this.isSpent || ++this.calls % interval !== 0) return undefined;
    if (probability < 100 && this.#chance() * 100 >= probability) return undefined;
    this.hits++;
    return this.#fault;
  }

  /** Has it go on where one with the same words was. */
  resume({ calls, hits }: Pick<FaultRule, 'calls' | 'hits'>): void {
    const { interval, probability } = this.data;
    this.calls = calls;
    this.hits = hits;
    if (probability < 100) for (let turn = interval; turn <= calls; turn += interval) this.#chance();
  }

  /** The words that it was made of, and how often it struck. */
  toString(): string {
    const { data } = this;
    const given = words
      .filter((word) => data[word] !== undefined)
      .map((word) => `${word}=${quoted(String(data[word]))}`);
    if (data.interval !== 1) given.push(`interval=${data.interval}`);
    if (data.probability !== 100) given.push(`probability=${data.probability}`, `seed=${data.seed}`);
    if (data.log !== undefined) given.push(`log=${JSON.stringify(data.log)}`);
    return `${this.id}: ${given.join(' ')} hits=${this.hits}`;
  }
}

/** The device whose directory a file is in, directly or further down. */
function deviceAbove(node: KernfsNode): Device | undefined {
  for (let at = node.parent; at; at = at.parent) if (at.owner instanceof Device) return at.owner;
  return undefined;
}
