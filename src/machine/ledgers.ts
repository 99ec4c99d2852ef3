/**
 * Ledgers of what user space holds: files of `kernel/debug/mdevfs` for which a kernel has none.
 *
 * * `containers`: each container with its groups, and each of its mappings with the pages pinned in it
 * * `ioas`: the same for each IOAS of each open iommufd
 * * `vms`: each VM with the files that were added to it
 * * `holders`: each VFIO device that is in use, and through what
 * @module
 */

import { debugfsCreateFile } from '../base/debugfs.js';
import type { ModuleLoader } from '../base/loader.js';
import { iommufdModule } from '../iommu/iommufd.js';
import type { KernfsDir } from '../kernfs/dir.js';
import { kvmModule } from '../kvm/core.js';
import type { ForeignVm } from '../kvm/foreign.js';
import type { KvmVfioFiles } from '../kvm/vfio-files.js';
import { vfioModule } from '../vfio/core.js';
import type { VfioDevice } from '../vfio/device.js';
import { VfioDeviceFile } from '../vfio/device-file.js';
import type { VfioGroupFile } from '../vfio/group-file.js';

const indent = (text: string): string => text.replace(/^(?=.)/gm, '  ');

export function addLedgers(dir: KernfsDir, loader: ModuleLoader, foreign: ReadonlySet<ForeignVm>): void {
  const ledgers: Readonly<Record<string, () => string>> = {
    containers: () => containers(loader),
    ioas: () => ioas(loader),
    vms: () => vms(loader) + [...foreign].map((vm) => vmLedger(vm.id, vm.files)).join(''),
    holders: () => holders(loader),
  };
  for (const [name, show] of Object.entries(ledgers)) debugfsCreateFile(dir, name, { mode: 0o400, show });
}

function containers(loader: ModuleLoader): string {
  return [...(loader.exportsOf(vfioModule)?.containers ?? [])]
    .map((container, n) => {
      const groups = [...container.groups].map(({ group }) => group.owned.id);
      const head = `container ${n}: groups ${groups.join(' ') || 'none'}\n`;
      return head + indent(container.iommu?.ledger() ?? 'no IOMMU\n');
    })
    .join('');
}

function ioas(loader: ModuleLoader): string {
  return [...(loader.exportsOf(iommufdModule)?.contexts ?? [])]
    .map((iommufd, n) => `iommufd ${n}\n${indent(iommufd.ledger())}`)
    .join('');
}

function vms(loader: ModuleLoader): string {
  return [...(loader.exportsOf(kvmModule)?.vms ?? [])].map((vm) => vmLedger(vm.id, vm.vfio?.files)).join('');
}

function vmLedger(id: string, files?: KvmVfioFiles): string {
  const lines = [...(files?.keys() ?? [])].map((file) => `  ${nameOf(file)}\n`);
  return `vm ${id}: ${lines.length} files\n${lines.join('')}`;
}

function nameOf(file: VfioGroupFile | VfioDeviceFile): string {
  return file instanceof VfioDeviceFile ? `device ${file.vdev.device.name}` : `group ${file.group.owned.id}`;
}

function holders(loader: ModuleLoader): string {
  return [...(loader.exportsOf(vfioModule)?.devices ?? [])].map(holdersOf).join('');
}

function holdersOf(vdev: VfioDevice): string {
  const { opened } = vdev.group;
  if (vdev.users === 0 && !opened) return '';
  const parts = [`files ${vdev.users}`, `opened ${vdev.openCount}`];
  if (opened) parts.push(`group ${vdev.group.owned.id} open`);
  if (vdev.access) parts.push(`iommufd access ${vdev.access.id}`);
  return `${vdev.device.name}: ${parts.join(', ')}\n`;
}
