/**
 * libvirtd in a session where the host with a parent of every kind is at /sys, with places of its own for all that it
 * writes.
 * @module
 */

import { type Output, UUID } from './client.js';
import { ownDefinitions } from './mdevctl.js';
import type { Session } from './session.js';

const PLACES = ['/etc/libvirt', '/run/libvirt', '/var/lib/libvirt', '/var/cache/libvirt', '/var/log/libvirt'];
/** Where libvirtd logs the commands that it runs. */
const COMMANDS = '/var/log/libvirt/commands';

/** The name that libvirt gives to a device. @param parent name of the parent in sysfs */
export const nameOf = (uuid: string, parent: string) => `mdev_${uuid}_${parent}`.replaceAll(/[-:.]/g, '_');

/** A device as libvirt is told of it. @param parent libvirt's name of it */
export const description = (parent: string, type: string, more = `<uuid>${UUID}</uuid>`) =>
  `<device><parent>${parent}</parent><capability type="mdev"><type id="${type}"/>${more}</capability></device>`;

export class Libvirt {
  private constructor(readonly session: Session) {}

  /**
   * Starts libvirtd. The session must have its own mount, network and PID namespaces, and in its /run what libvirt looks
   * for of udev.
   */
  static async start(session: Session): Promise<Libvirt> {
    const libvirt = new Libvirt(session);
    await ownDefinitions(session);
    // In a user namespace there may be root alone, and no user for QEMU. No virtlogd runs.
    const { status, stderr } = await session.run(`
      mkdir -p /run/lock
      for place in ${PLACES.join(' ')}; do
        mkdir -p $place && mount -t tmpfs none $place || exit
      done
      printf '%s\\n' 'user = "root"' 'group = "root"' 'stdio_handler = "file"' > /etc/libvirt/qemu.conf
      export LIBVIRT_DEFAULT_URI=nodedev:///system`);
    if (status !== 0) throw new Error(`no place for libvirtd: ${stderr}`);
    await libvirt.startDaemon();
    return libvirt;
  }

  async startDaemon(): Promise<void> {
    const { status, stderr } = await this.session.run(`
      LIBVIRT_LOG_FILTERS=1:util.command LIBVIRT_LOG_OUTPUTS=1:file:${COMMANDS} libvirtd > /run/libvirt/out 2>&1 &
      libvirtd=$!
      for try in $(seq 300); do virsh -q uri > /dev/null 2>&1 && break; sleep 0.1; done
      virsh -q uri || cat /run/libvirt/out >&2`);
    if (status !== 0 || stderr !== '') throw new Error(`libvirtd did not start: ${stderr}`);
  }

  async stopDaemon(): Promise<void> {
    await this.session.run('kill $libvirtd; wait $libvirtd');
  }

  /** What virsh prints, without the empty line that it ends with. */
  async virsh(command: string): Promise<Output> {
    const output = await this.session.run(`virsh ${command}`);
    return { ...output, stdout: output.stdout.replace(/\n$/, '') };
  }

  /** @param command the command that takes a file with a description */
  async virshWith(command: string, description: string): Promise<Output> {
    await this.session.run(`echo '${description}' > /run/device.xml`);
    return this.virsh(`${command} /run/device.xml`);
  }

  /** Names of devices. */
  async list(options: string): Promise<string[]> {
    const { stdout } = await this.virsh(`nodedev-list ${options}`);
    return stdout.split('\n').filter((line) => line !== '');
  }

  /** Waits until a device is listed, or is not any more. @returns whether it is */
  async appears(name: string, options: string, listed = true): Promise<boolean> {
    for (let tries = 0; tries < 100; tries++) {
      if ((await this.list(options)).includes(name) === listed) return listed;
      await this.session.run('sleep 0.1');
    }
    return !listed;
  }

  /**
   * How often it looked for devices that were to be made. It runs `udevadm settle`, looks, and if the device is not there,
   * sleeps five seconds and begins again, for a minute. So one look for each device means that it never slept. With a
   * udevd that is luck, as on any machine: its settle does not wait for those who listen.
   */
  async looks(): Promise<number> {
    return Number((await this.session.run(`grep -c 'About to run .*udevadm settle' ${COMMANDS}`)).stdout);
  }
}
