/**
 * A guest as libvirt is told of it: the same machine that guest.ts starts by itself, translated, with its shell at the
 * second serial port.
 * @module
 */

import { COMMAND_LINE, type GuestFiles, MEMORY_MIB } from './guest.js';
import type { GuestShell } from './guest-shell.js';
import { QEMU } from './qemu.js';

export interface DomainOptions extends GuestFiles {
  name: string;
  /** Waits for the domain already; libvirt's QEMU connects to it. */
  shell: GuestShell;
  /** A file for what the guest's kernel says. */
  console: string;
  /** More devices, as XML. */
  devices?: string;
}

/** A mediated device of a domain, at a slot of its own where it can also be unplugged. @param bus number of a root port */
export const mediatedDevice = (uuid: string, bus = 1) => `
    <hostdev mode='subsystem' type='mdev' model='vfio-pci' managed='no'>
      <source><address uuid='${uuid}'/></source>
      <address type='pci' domain='0x0000' bus='0x0${bus}' slot='0x00' function='0x0'/>
    </hostdev>`;

/** For `virsh create`. */
export const domainXml = ({ name, kernel, initrd, shell, console, devices = '' }: DomainOptions) => `
<domain type='qemu'>
  <name>${name}</name>
  <memory unit='MiB'>${MEMORY_MIB}</memory>
  <vcpu>1</vcpu>
  <os>
    <type arch='x86_64' machine='q35'>hvm</type>
    <kernel>${kernel}</kernel>
    <initrd>${initrd}</initrd>
    <cmdline>${COMMAND_LINE}</cmdline>
  </os>
  <features><acpi/></features>
  <on_reboot>destroy</on_reboot>
  <devices>
    <emulator>/usr/bin/${QEMU}</emulator>
    <controller type='usb' model='none'/>
    <controller type='pci' index='0' model='pcie-root'/>
    <controller type='pci' index='1' model='pcie-root-port'/>
    <controller type='pci' index='2' model='pcie-root-port'/>
    <serial type='file'><source path='${console}'/><target port='0'/></serial>
    <serial type='unix'><source mode='connect' path='${shell.path}'/><target port='1'/></serial>
    <memballoon model='none'/>${devices}
  </devices>
  <seclabel type='none'/>
</domain>
`;
