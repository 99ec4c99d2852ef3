/**
 * The `power` directory of every device (drivers/base/power/sysfs.c). Without runtime power management a device
 * shows what the kernel shows for one that never enabled it; a PCI function brings a state of its own.
 * @module
 */

import { Errno, KernelError } from '../lib/errno.js';
import { sysfsStreq } from '../lib/kstrtox.js';
import type { Sleeps } from '../lib/sleep.js';
import type { Attribute } from '../sysfs/attribute.js';
import { AttributeGroup } from '../sysfs/group.js';
import type { Device } from './device.js';
import type { KernelProfile } from './profile.js';

/** Runtime power management state of a device. */
export interface RuntimePm {
  control: 'auto' | 'on';
  status: 'unsupported' | 'active' | 'suspended';
  /** Milliseconds. */
  activeTime(): number;
  /** Milliseconds. */
  suspendedTime(): number;
  /** Devices that opted out of callbacks show no runtime files at all (`pm_runtime_no_callbacks`). */
  noCallbacks?: boolean;
  async?: boolean;
}

function defaultPm(): RuntimePm {
  return { control: 'auto', status: 'unsupported', activeTime: () => 0, suspendedTime: () => 0 };
}

const unmanaged: Readonly<RuntimePm> = Object.freeze(defaultPm());
const pmOf = (device: Device): Readonly<RuntimePm> => device.pm ?? unmanaged;

/** @throws EINVAL unless the text is one of the two words, with or without a newline */
function choice(text: string, yes: string, no: string): boolean {
  if (sysfsStreq(text, yes)) return true;
  if (sysfsStreq(text, no)) return false;
  throw new KernelError(Errno.EINVAL);
}

function controlStore(device: Device, text: string): Sleeps<void> {
  return device.locked(() => {
    const on = choice(text, 'on', 'auto');
    device.pm ??= defaultPm();
    device.pm.control = on ? 'on' : 'auto';
  });
}

function autosuspendRefused(): never {
  throw new KernelError(Errno.EIO);
}

const always: Attribute<Device>[] = [
  { name: 'control', mode: 0o644, show: (device) => `${pmOf(device).control}\n`, store: controlStore },
  { name: 'runtime_active_time', mode: 0o444, show: (device) => `${pmOf(device).activeTime()}\n` },
  { name: 'runtime_suspended_time', mode: 0o444, show: (device) => `${pmOf(device).suspendedTime()}\n` },
  { name: 'runtime_status', mode: 0o444, show: (device) => `${pmOf(device).status}\n` },
  // No device here uses autosuspend, and the file fails in both directions until one does.
  { name: 'autosuspend_delay_ms', mode: 0o644, show: autosuspendRefused, store: autosuspendRefused },
];

const advancedDebug: Attribute<Device>[] = [
  {
    name: 'async',
    mode: 0o644,
    show: (device) => `${pmOf(device).async ? 'enabled' : 'disabled'}\n`,
    store: (device, text) => {
      const enabled = choice(text, 'enabled', 'disabled');
      device.pm ??= defaultPm();
      device.pm.async = enabled;
    },
  },
  { name: 'runtime_active_kids', mode: 0o444, show: () => '0\n' },
  { name: 'runtime_enabled', mode: 0o444, show: () => 'disabled\n' },
  { name: 'runtime_usage', mode: 0o444, show: () => '0\n' },
];

const isVisible = (device: Device) => !device.pm?.noCallbacks;
const plain = [new AttributeGroup<Device>({ name: 'power', attributes: always, isVisible })];
const withDebug = [
  new AttributeGroup<Device>({ name: 'power', attributes: [...always, ...advancedDebug], isVisible }),
];

/** The power directory that a kernel of this configuration gives its devices. */
export function powerGroup(profile: KernelProfile): readonly AttributeGroup<Device>[] {
  return profile.pmAdvancedDebug ? withDebug : plain;
}
