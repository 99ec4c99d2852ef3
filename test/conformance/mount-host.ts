/**
 * {@link Host} of a machine that is only seen as a mounted tree: modules by its control file, the kernel log by
 * another. Uevents go to netlink and cannot be heard here.
 * @module
 */

import type { Host } from './host.js';
import { namesIn, readText, writeFile } from './ops/operation.js';
import type { Sys } from './sys.js';

const CONTROL = '/sys/kernel/debug/mdevfs';
const O_WRONLY = 1;
/** Length of a text that did not fit the file: what is missing cannot be told. */
const CUT = 4095;

export function mountHost(sys: Sys): Host {
  let seen = '';
  const control = (command: string): number => {
    try {
      writeFile(sys, `${CONTROL}/module`, O_WRONLY, Buffer.from(command));
      return 0;
    } catch {
      return 1;
    }
  };
  return {
    loadModule: (name, parameters) => control(['modprobe', name, ...parameters].join(' ')),
    unloadModule: (name) => control(`rmmod ${name}`),
    takeUevents: () => undefined,
    takeLog() {
      const text = readText(sys, `${CONTROL}/kmsg`);
      if (text.length === CUT) return undefined;
      const fresh = text.startsWith(seen) ? text.slice(seen.length) : text;
      seen = text;
      return fresh.split('\n').filter(Boolean);
    },
  };
}

/** Files that cases write and that outlive them, with what stands in them at boot. */
const boot: readonly (readonly [path: string, text: string])[] = [
  ['/sys/bus/mdev/drivers_autoprobe', '1'],
  ['/sys/module/vfio_iommu_type1/parameters/disable_hugepages', 'N'],
  ['/sys/module/vfio_iommu_type1/parameters/dma_entry_limit', '65535'],
  ['/sys/devices/virtual/mtty/mtty/power/control', 'auto'],
  ['/sys/devices/virtual/mdpy/mdpy/power/control', 'auto'],
  ['/sys/devices/virtual/mbochs/mbochs/power/control', 'auto'],
];

/** Brings a machine back to where every case begins: no device, every module, settings as at boot. */
export function reset(sys: Sys, host: Host, modules: readonly string[]): void {
  const loaded = new Set(namesIn(sys, '/sys/module'));
  for (const name of modules) if (!loaded.has(name)) host.loadModule(name, []);
  for (const uuid of namesIn(sys, '/sys/bus/mdev/devices')) {
    writeQuietly(sys, `/sys/bus/mdev/devices/${uuid}/remove`, '1');
  }
  for (const [path, text] of boot) writeQuietly(sys, path, text);
}

function writeQuietly(sys: Sys, path: string, text: string): void {
  try {
    writeFile(sys, path, O_WRONLY, Buffer.from(text));
  } catch {
    // Not there, or not writable: the cases will say so.
  }
}
