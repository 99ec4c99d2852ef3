/**
 * What a guest boots into: busybox, lspci and setpci, modules, and scripts, in memory only.
 * @module
 */

import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { CpioArchive } from './cpio.js';
import { guestKernel } from './guest-kernel.js';

const scripts = fileURLToPath(new URL('../../../test/clients/guest', import.meta.url));
const PCI_IDS = '/usr/share/misc/pci.ids';
const EXECUTABLE = 0o755;

/** Where the shell finds a program. */
function programPath(name: string): string {
  const { stdout } = spawnSync('sh', ['-c', `command -v ${name}`], { encoding: 'utf8' });
  if (stdout === '') throw new Error(`${name} is not installed`);
  return stdout.trim();
}

/** The libraries of a program, its loader with them, where it looks for them; none of a static one. */
function librariesOf(program: string): string[] {
  const { stdout } = spawnSync('ldd', [program], { encoding: 'utf8' });
  return [...stdout.matchAll(/(?:^|=>)\s*(\/\S+) \(0x/gm)].map(([, path]) => path!);
}

/** The file system of a guest, as its kernel unpacks it. */
export function guestImage(): Buffer {
  const archive = new CpioArchive();
  for (const dir of ['dev', 'proc', 'sys', 'tmp', 'run']) archive.directory(dir);
  archive.file('bin/busybox', readFileSync(programPath('busybox')), EXECUTABLE);
  for (const name of ['lspci', 'setpci']) {
    const path = programPath(name);
    archive.file(`bin/${name}`, readFileSync(path), EXECUTABLE);
    for (const library of librariesOf(path)) archive.file(library, readFileSync(library), EXECUTABLE);
  }
  if (existsSync(PCI_IDS)) archive.file(PCI_IDS, readFileSync(PCI_IDS));
  const { release, modules } = guestKernel();
  for (const name of readdirSync(modules, { recursive: true, encoding: 'utf8' })) {
    if (/\.ko[.a-z]*$|^modules\.dep$/.test(name))
      archive.file(join('lib/modules', release, name), readFileSync(join(modules, name)));
  }
  archive.file('init', readFileSync(join(scripts, 'init.sh')), EXECUTABLE);
  for (const name of readdirSync(scripts))
    if (name !== 'init.sh') archive.file(join('scripts', name), readFileSync(join(scripts, name)));
  return archive.bytes();
}
