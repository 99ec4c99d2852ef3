/**
 * The channel subsystem of s390 (drivers/s390/cio/css.c): a bus with the subchannels through which I/O is done, below
 * one device, and the driver that has them unless another is named.
 *
 * Differs: all are subchannels for I/O. The devices on the ccw bus that `io_subchannel` makes are not there by
 * themselves. Paths do not change, and the files that steer the channel subsystem as a whole are missing.
 * @module
 */

import { Bus } from '../base/bus.js';
import type { DriverCore } from '../base/core.js';
import type { Device } from '../base/device.js';
import { DeviceDriver } from '../base/driver.js';
import { NamedDevice } from '../base/named-device.js';
import { removeAnyway } from '../base/dd.js';
import type { Slot } from '../base/slot.js';
import { after, type Sleeps } from '../lib/sleep.js';
import { Errno, KernelError } from '../lib/errno.js';
import { cstring } from '../lib/kstrtox.js';
import { AttributeGroup } from '../sysfs/group.js';

const PAGE_SIZE = 4096;
const PATHS = 8;

/** As a fixture says it. */
export interface SubchannelData {
  /** Its name: `0.`, subchannel set, `.`, number. */
  id: string;
  /** The device behind it, named likewise. */
  device?: string | undefined;
  /** Ids of its channel paths, of the first up to eight. */
  chpids: readonly number[];
  /** The driver that it is kept for. */
  driverOverride?: string | undefined;
  /** A QDIO device, which `vfio_ccw` does not take. */
  qdio: boolean;
}

const byte = (value: number) => value.toString(16).padStart(2, '0');

export class Subchannel extends NamedDevice {
  driverOverride: string | undefined;

  constructor(
    core: DriverCore,
    bus: Bus,
    css: Device,
    readonly data: SubchannelData,
  ) {
    super(core, data.id, { parent: css, bus, groups: [subchannelGroup] });
    this.driverOverride = data.driverOverride;
  }

  /** The paths that there are, the first leftmost. */
  get pathMask(): number {
    return (0xff00 >> this.data.chpids.length) & 0xff;
  }

  /** Bytes of the ids of all eight paths. */
  get chpids(): number[] {
    return Array.from({ length: PATHS }, (_, path) => this.data.chpids[path] ?? 0);
  }
}

const subchannelGroup = new AttributeGroup<Subchannel>({
  attributes: [
    { name: 'type', mode: 0o444, constant: true, show: () => '0\n' },
    { name: 'modalias', mode: 0o444, constant: true, show: () => 'css:t0\n' },
    {
      name: 'driver_override',
      mode: 0o644,
      show: ({ driverOverride }) => `${driverOverride ?? '(null)'}\n`,
      store: driverOverrideStore,
    },
    {
      name: 'dev_busid',
      mode: 0o444,
      constant: true,
      show: ({ data }) => `${data.device ?? 'none'}\n`,
    },
    {
      name: 'chpids',
      mode: 0o444,
      constant: true,
      show: ({ chpids }) => `${chpids.map((chpid) => `${byte(chpid)} `).join('')}\n`,
    },
    {
      name: 'pimpampom',
      mode: 0o444,
      constant: true,
      show: ({ pathMask }) => `${byte(pathMask)} ${byte(pathMask)} ff\n`,
    },
  ],
});

/** An empty line takes the name away. @throws EINVAL for a text as long as a page */
function driverOverrideStore(subchannel: Subchannel, text: string): void {
  if (text.length >= PAGE_SIZE - 1) throw new KernelError(Errno.EINVAL);
  subchannel.driverOverride = cstring(text).split('\n')[0] || undefined;
}

function match(device: Device, driver: DeviceDriver): boolean {
  const { driverOverride } = device as Subchannel;
  return driverOverride === undefined || driverOverride === driver.name;
}

/** Where a subchannel is, or is to come back. */
class SubchannelSlot implements Slot {
  #subchannel: Subchannel | undefined;

  constructor(readonly make: () => Subchannel) {
    this.plug();
  }

  get occupied(): boolean {
    return this.#subchannel?.inSysfs ?? false;
  }

  plug(): void {
    this.#subchannel = this.make();
    this.#subchannel.add();
  }

  unplug(): Sleeps<void> {
    const subchannel = this.#subchannel!;
    return after(removeAnyway(subchannel), () => subchannel.del());
  }
}

/** The bus with its subchannels; those that are kept for no other driver are bound at once. */
export class ChannelSubsystem {
  readonly bus: Bus;
  /** What there is or could be plugged in, by name. */
  readonly known = new Map<string, SubchannelData>();
  readonly #css: Device;

  constructor(readonly core: DriverCore) {
    this.bus = new Bus(core, 'css', { match, uevent: () => ['ST=0', 'MODALIAS=css:t0'] }).register();
    new DeviceDriver(this.bus, { name: 'io_subchannel' }).register();
    this.#css = new NamedDevice(core, 'css0', {});
    this.#css.add();
  }

  /** @throws EEXIST when there is one of that name */
  add(data: SubchannelData): void {
    const { core, bus } = this;
    core.slots.set(data.id, new SubchannelSlot(() => new Subchannel(core, bus, this.#css, data)));
    this.known.set(data.id, data);
  }
}
