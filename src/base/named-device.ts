/**
 * Devices that keep their name and their place with them, as most do that a machine has few of.
 * @module
 */

import type { KernfsDir } from '../kernfs/dir.js';
import type { KernfsTemplate } from '../kernfs/template.js';
import type { Bus } from './bus.js';
import type { Devt } from './chrdev.js';
import type { DeviceClass } from './class.js';
import type { DriverCore } from './core.js';
import { Device } from './device.js';

export interface DeviceOptions {
  parent?: Device | undefined;
  bus?: Bus;
  class?: DeviceClass;
  /** Attribute groups of this device, beyond those of its bus and class. */
  groups?: readonly KernfsTemplate[];
  devt?: Devt | undefined;
  /** Directory for a device without parent and class; /sys/devices otherwise. */
  top?: KernfsDir;
}

export class NamedDevice extends Device {
  readonly #options: DeviceOptions;

  constructor(
    readonly core: DriverCore,
    readonly name: string,
    options: DeviceOptions,
  ) {
    super();
    this.#options = options;
  }

  override get parent(): Device | undefined {
    return this.#options.parent;
  }

  override get bus(): Bus | undefined {
    return this.#options.bus;
  }

  override get class(): DeviceClass | undefined {
    return this.#options.class;
  }

  override get devt(): Devt | undefined {
    return this.#options.devt;
  }

  override get groups(): readonly KernfsTemplate[] {
    return this.#options.groups ?? super.groups;
  }

  override get top(): KernfsDir {
    return this.#options.top ?? super.top;
  }
}
