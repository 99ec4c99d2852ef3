/**
 * A whole emulated machine: the composition root. It puts the driver core, the IOMMU, the host of a fixture and the
 * loadable modules together, and offers what a machine offers: system calls, module loading, uevents.
 * @module
 */

import { DriverCore } from '../base/core.js';
import { debugfsCreateFile } from '../base/debugfs.js';
import { ModuleLoader } from '../base/loader.js';
import { Misc, miscBuiltin } from '../base/misc.js';
import type { ModuleDefinition, ModuleImage } from '../base/module.js';
import type { KernelLog } from '../base/printk.js';
import { type KernelProfile, profiles } from '../base/profile.js';
import type { Uevents } from '../base/uevent.js';
import { Iommu, iommuBuiltin } from '../iommu/group.js';
import type { KernfsDir } from '../kernfs/dir.js';
import { KernfsFile, O_WRONLY } from '../kernfs/file.js';
import type { KernfsRoot } from '../kernfs/node.js';
import type { Clock } from '../lib/clock.js';
import { Errno, KernelError } from '../lib/errno.js';
import { after, andThen, asleep, type Sleeps } from '../lib/sleep.js';
import { pciBuiltin } from '../pci/bus.js';
import { addAttachFile } from './attach-file.js';
import { Attachment, type AttachmentOptions, attachmentDefaults } from './attachment.js';
import { bringUp } from './bring-up.js';
import { processClock } from './clock.js';
import { FaultRules } from './fault.js';
import { addFaultFile } from './fault-file.js';
import type { Fixture } from './fixture.js';
import { type Hardware, Host, override } from './host.js';
import { PathLink } from './host-node.js';
import { images } from './images.js';
import type { ForeignVm } from '../kvm/foreign.js';
import { addLedgers } from './ledgers.js';
import { modules } from './modules.js';
import { Namespace } from './namei.js';
import { type Credentials, ROOT } from './permission.js';
import { Process } from './process.js';
import { type FixtureShelf, Hotplug } from './hotplug.js';
import { addHotplugFile } from './hotplug-file.js';
import { putBackState, withApMasks } from './put-back-state.js';
import type { MachineState } from './state.js';
import { addUeventsFile } from './uevents-file.js';

/** include/uapi/linux/magic.h */
const SYSFS_MAGIC = 0x62656572;
const DEBUGFS_MAGIC = 0x64626720;
const TMPFS_MAGIC = 0x01021994;

/** Number of the first process. */
const FIRST_PID = 100;

/** The kernel log as a file of any length. */
function logFile(root: KernfsRoot, log: KernelLog): KernfsFile {
  const text = () => Buffer.from(log.lines.map((line) => `${line}\n`).join(''));
  return new KernfsFile(root, 'kmsg', 0o400, {
    size: 0,
    read: (offset, length) => text().subarray(offset, offset + length),
  });
}

export interface MachineOptions {
  /** Fixtures that can be plugged in by name. */
  fixtures?: FixtureShelf;
  profile?: KernelProfile;
  /** Facts of compiled modules, by name. */
  images?: Readonly<Record<string, ModuleImage>>;
  /** Majors of character devices, by driver name, where they are not to be the next free ones. */
  majors?: Readonly<Record<string, number>>;
  /** Where the time comes from; the clock of this process without it. */
  clock?: Clock;
}

export interface BootOptions extends Omit<MachineOptions, 'profile'> {
  /** What users made of a machine of this fixture before; in place of the fixture's own modules, devices and rules. */
  state?: MachineState | undefined;
}

export class Machine {
  readonly core: DriverCore;
  readonly iommu: Iommu;
  readonly host: Host;
  readonly loader: ModuleLoader;
  readonly namespace: Namespace;
  /** `kernel/debug/mdevfs`: what a kernel has no file for. */
  readonly control: KernfsDir;
  /** Rules of fault injection. */
  readonly faults: FaultRules;
  /** Parents that come and go. */
  readonly hotplug: Hotplug;
  /** VMs of the KVM of the machine that this program runs on. */
  readonly foreignVms = new Set<ForeignVm>();
  #pids = FIRST_PID;
  readonly #definitions = new Map<string, ModuleDefinition>();

  constructor(options: MachineOptions = {}) {
    const clock = options.clock ?? processClock;
    this.core = new DriverCore({
      profile: options.profile ?? profiles.full,
      clock,
      majors: options.majors ?? {},
    });
    this.iommu = new Iommu(this.core);
    this.host = new Host(this.core, this.iommu);
    this.loader = new ModuleLoader(this.core, options.images);
    this.loader.addBuiltin(iommuBuiltin, this.iommu);
    this.loader.addBuiltin(miscBuiltin, new Misc(this.core));
    const { arch } = this.core.profile;
    for (const definition of modules) if ((definition.arch ?? arch) === arch) this.define(definition);
    this.namespace = new Namespace(() => clock.now());
    this.namespace.mount('sys', this.core.sysfs, SYSFS_MAGIC);
    this.namespace.setMagic(this.core.debugfs, DEBUGFS_MAGIC);
    this.namespace.mount('dev', this.core.devtmpfs.root, TMPFS_MAGIC, true);
    this.control = this.core.debugfs.addDir('mdevfs');
    this.faults = new FaultRules(this.core, this.control);
    this.hotplug = new Hotplug(this, options.fixtures);
    this.#addControlFiles(this.control);
  }

  /**
   * The machine that a fixture describes, booted.
   * @throws KernelError when a module or a device of the fixture cannot be had
   * @throws PutBackError when something of a state cannot
   */
  static fromFixture(fixture: Fixture, options: BootOptions = {}): Machine {
    const machine = new Machine({
      ...options,
      profile: { ...profiles[fixture.kernel], arch: fixture.arch },
      images: { ...images[fixture.kernel], ...fixture.moduleImages, ...options.images },
      majors: fixture.majors,
    });
    const { state } = options;
    void machine.addHardware(state ? withApMasks(fixture, state) : fixture, 'boot');
    if (state) putBackState(machine, fixture, state);
    else {
      bringUp(machine, fixture, (what, step) => {
        const done = step();
        // A device that takes its time comes when it is ready, or not. The others do not wait for it.
        if (asleep(done))
          done.catch((error: Error) => machine.core.log.print(`mdevfs: ${what}: ${error.message}`));
      });
      override(machine.core, fixture.overrides);
    }
    machine.uevents.seqnum = fixture.seqnum;
    return machine;
  }

  /** Makes a mediated device as a user would, through its type's `create`; sleeps where that does. */
  createMdev(parent: string, type: string, uuid: string): Sleeps<void> {
    return this.write(`/sys/class/mdev_bus/${parent}/mdev_supported_types/${type}/create`, uuid);
  }

  /** Takes a device from its driver, if it has one. */
  unbind(device: string): Sleeps<void> {
    if (!this.process().exists(`${device}/driver`)) return;
    return this.write(`${device}/driver/unbind`, device.slice(device.lastIndexOf('/') + 1));
  }

  /** Writes a text to a file, as a user would; sleeps where that does. */
  write(path: string, text: string): Sleeps<void> {
    const process = this.process();
    const fd = process.open(path, O_WRONLY);
    return after(
      andThen(
        () => process.write(fd, Buffer.from(text, 'latin1')),
        () => process.exit(),
      ),
      () => {},
    );
  }

  /**
   * Attaches a VM to a mediated device, as `kernel/debug/mdevfs/attach` does, and gives its process, its memory and the
   * open device. The device is in use until {@link Attachment.end}.
   * @throws ENODEV when there is no such device; what any of the steps fails with
   */
  attach(uuid: string, options: Partial<AttachmentOptions> = {}): Sleeps<Attachment> {
    return Attachment.start(this, { ...attachmentDefaults(uuid), ...options });
  }

  /** The tree to show at /sys. */
  get sysfs(): KernfsDir {
    return this.core.sysfs;
  }

  get uevents(): Uevents {
    return this.core.uevents;
  }

  /** Makes a module known, so that it can be loaded by name. */
  define(definition: ModuleDefinition): void {
    this.#definitions.set(definition.name, definition);
  }

  /** Whether a module of that name can be loaded, or is. */
  defines(name: string): boolean {
    return this.#definitions.has(name);
  }

  /**
   * Makes what the machine boots with, or more while it runs, and the modules for it known.
   * @param groups of what is plugged in: what is added to the numbers by which its functions name IOMMU groups
   */
  addHardware(hardware: Hardware, how: 'boot' | 'plug', groups?: number): Sleeps<void> {
    const { host, loader } = this;
    return after(how === 'boot' ? host.boot(hardware) : host.plug(hardware, groups), (modules) => {
      if (host.pci) loader.addBuiltin(pciBuiltin, host.pci);
      for (const definition of modules) this.define(definition);
    });
  }

  /**
   * Loads a module by name, with what it needs (`modprobe`).
   * @param parameters values by name, as text
   * @throws ENOENT when there is no such module; what its init fails with
   */
  modprobe(name: string, parameters: Record<string, string> = {}): void {
    this.loader.modprobe(this.#definition(name), parameters);
  }

  /** Loads a module as a fixture has it. @throws as {@link modprobe} */
  loadModule(entry: Fixture['modules'][number]): void {
    const {
      name,
      parameters,
      holders = [],
    } = typeof entry === 'string' ? { name: entry, parameters: {} } : entry;
    this.modprobe(name, parameters);
    const { otherHolders, dir } = this.loader.modules.find((module) => module.name === name)!;
    const links = dir.lookup('holders') as KernfsDir;
    for (const holder of holders) {
      if (links.find(holder)) continue;
      otherHolders.add(holder);
      links.add(new PathLink(dir.root, holder, `/module/${holder}`));
    }
  }

  /**
   * Loads one module by name (`insmod`).
   * @throws ENOENT when there is no such module or one that it needs is not loaded
   * @throws EEXIST when it is loaded
   */
  insmod(name: string, parameters: Record<string, string> = {}): void {
    this.loader.insmod(this.#definition(name), parameters);
  }

  /**
   * Unloads a module; sleeps while its devices are in use.
   * @throws ENOENT when it is not loaded; EAGAIN while it is in use
   */
  rmmod(name: string): Sleeps<void> {
    return this.loader.rmmod(name);
  }

  /** A new process on this machine. */
  process(credentials: Credentials = ROOT): Process {
    return new Process(this.namespace, this.core, this.#pids++, { credentials });
  }

  #definition(name: string): ModuleDefinition {
    const definition = this.#definitions.get(name);
    if (!definition) throw new KernelError(Errno.ENOENT);
    return definition;
  }

  #addControlFiles(dir: KernfsDir): void {
    debugfsCreateFile(dir, 'module', {
      mode: 0o600,
      show: () => this.loader.loaded.map((name) => `${name}\n`).join(''),
      store: (text) => this.#moduleStore(text),
    });
    dir.add(logFile(dir.root, this.core.log));
    addAttachFile(dir, this);
    addLedgers(dir, this.loader, this.foreignVms);
    addUeventsFile(dir, this.uevents);
    addFaultFile(dir, this.faults, this.core.log);
    addHotplugFile(dir, this.hotplug);
  }

  /**
   * `insmod NAME [PARAMETER=VALUE...]`, `modprobe NAME ...` or `rmmod NAME`.
   * @throws EINVAL for anything else; what loading or unloading throws
   */
  #moduleStore(text: string): Sleeps<void> {
    const [command, name, ...rest] = text.trim().split(/\s+/);
    if (name === undefined) throw new KernelError(Errno.EINVAL);
    if (command === 'rmmod' && rest.length === 0) return this.rmmod(name);
    if (command !== 'insmod' && command !== 'modprobe') throw new KernelError(Errno.EINVAL);
    const parameters = rest.map((pair) => {
      const equals = pair.indexOf('=');
      if (equals < 1) throw new KernelError(Errno.EINVAL);
      return [pair.slice(0, equals), pair.slice(equals + 1)] as const;
    });
    this[command](name, Object.fromEntries(parameters));
  }
}
