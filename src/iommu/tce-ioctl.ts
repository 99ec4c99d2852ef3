/**
 * Requests of a container that the sPAPR TCE backend answers (drivers/vfio/vfio_iommu_spapr_tce.c).
 * @module
 */

import type { UserMemory, UserPointer } from '../base/file.js';
import { Errno, KernelError } from '../lib/errno.js';
import {
  DMA_MAP_SIZE,
  DMA_UNMAP_SIZE,
  decodeDmaMap,
  decodeDmaUnmap,
  decodeSpaprMemory,
  decodeSpaprTceCreate,
  decodeSpaprTceRemove,
  encodeSpaprTceInfo,
  SPAPR_REGISTER_MEMORY_SIZE,
  SPAPR_TCE_CREATE_SIZE,
  SPAPR_TCE_CREATE_START_ADDR,
  SPAPR_TCE_INFO_MINSZ,
  SPAPR_TCE_INFO_SIZE,
  SPAPR_TCE_REMOVE_SIZE,
  VFIO_DMA_MAP_FLAG_READ,
  VFIO_DMA_MAP_FLAG_WRITE,
  VFIO_EEH_PE_OP,
  VFIO_IOMMU_DISABLE,
  VFIO_IOMMU_ENABLE,
  VFIO_IOMMU_MAP_DMA,
  VFIO_IOMMU_SPAPR_INFO_DDW,
  VFIO_IOMMU_SPAPR_REGISTER_MEMORY,
  VFIO_IOMMU_SPAPR_TCE_CREATE,
  VFIO_IOMMU_SPAPR_TCE_GET_INFO,
  VFIO_IOMMU_SPAPR_TCE_REMOVE,
  VFIO_IOMMU_SPAPR_UNREGISTER_MEMORY,
  VFIO_IOMMU_UNMAP_DMA,
  VFIO_SPAPR_TCE_IOMMU,
  VFIO_SPAPR_TCE_v2_IOMMU,
} from '../uapi/vfio-iommu.js';
import { IOMMU_READ, IOMMU_WRITE } from './backend.js';
import type { TceIommu } from './tce.js';
import { platform, platformPgsizes, type TceTable } from './tce-table.js';

type Handler = (iommu: TceIommu, arg: UserPointer, memory: UserMemory) => void;

const fail = (errno: number): never => {
  throw new KernelError(errno);
};

/** CHECK_EXTENSION; no device here can be recovered from errors (EEH). */
export function tceCheckExtension(extension: number): number {
  return extension === VFIO_SPAPR_TCE_IOMMU || extension === VFIO_SPAPR_TCE_v2_IOMMU ? 1 : 0;
}

const common: ReadonlyMap<number, Handler> = new Map([
  [VFIO_IOMMU_SPAPR_TCE_GET_INFO, getInfo],
  [VFIO_IOMMU_MAP_DMA, mapDma],
  [VFIO_IOMMU_UNMAP_DMA, unmapDma],
  // No group has a partitionable endpoint.
  [VFIO_EEH_PE_OP, () => fail(Errno.ENODEV)],
]);

const version1: ReadonlyMap<number, Handler> = new Map([
  [VFIO_IOMMU_ENABLE, (iommu: TceIommu, _arg: UserPointer, memory: UserMemory) => iommu.enable(memory)],
  [VFIO_IOMMU_DISABLE, (iommu: TceIommu) => iommu.disable()],
]);

const version2: ReadonlyMap<number, Handler> = new Map([
  [VFIO_IOMMU_SPAPR_REGISTER_MEMORY, registerMemory],
  [VFIO_IOMMU_SPAPR_UNREGISTER_MEMORY, unregisterMemory],
  [VFIO_IOMMU_SPAPR_TCE_CREATE, createWindow],
  [VFIO_IOMMU_SPAPR_TCE_REMOVE, removeWindow],
]);

/** @throws ENOTTY for a request that this version does not know; EFAULT, EINVAL for structures that it cannot read */
export function tceIoctl(iommu: TceIommu, request: number, arg: UserPointer, memory: UserMemory): number {
  const handler = common.get(request) ?? (iommu.v2 ? version2 : version1).get(request);
  if (!handler) return fail(Errno.ENOTTY);
  handler(iommu, arg, memory);
  return 0;
}

/** The part on dynamic windows is for version 2, and for callers with room for it. */
function getInfo(iommu: TceIommu, arg: UserPointer): void {
  if (iommu.groups.size === 0) fail(Errno.ENXIO);
  const argsz = arg.read(SPAPR_TCE_INFO_MINSZ).readUInt32LE(0);
  if (argsz < SPAPR_TCE_INFO_MINSZ) fail(Errno.EINVAL);
  const info = encodeSpaprTceInfo({
    argsz,
    flags: iommu.v2 ? VFIO_IOMMU_SPAPR_INFO_DDW : 0,
    dma32WindowStart: platform.dma32WindowStart,
    dma32WindowSize: platform.dma32WindowSize,
    ddw: iommu.v2
      ? { pgsizes: platformPgsizes, maxDynamicWindows: platform.windows, levels: platform.levels }
      : { pgsizes: 0n, maxDynamicWindows: 0, levels: 0 },
  });
  arg.write(argsz >= SPAPR_TCE_INFO_SIZE ? info : info.subarray(0, SPAPR_TCE_INFO_MINSZ));
}

/** @throws ENXIO for an address that no window has */
function tableOf(iommu: TceIommu, memory: UserMemory, iova: bigint): TceTable {
  iommu.createDefaultWindow(memory);
  return iommu.findTable(iova) ?? fail(Errno.ENXIO);
}

/** @throws EPERM while the container is not enabled */
function mapDma(iommu: TceIommu, arg: UserPointer, memory: UserMemory): void {
  if (!iommu.enabled) fail(Errno.EPERM);
  const { argsz, flags, vaddr, iova, size } = decodeDmaMap(arg.read(DMA_MAP_SIZE));
  if (argsz < DMA_MAP_SIZE || flags & ~(VFIO_DMA_MAP_FLAG_READ | VFIO_DMA_MAP_FLAG_WRITE)) fail(Errno.EINVAL);
  const table = tableOf(iommu, memory, iova);
  if ((size | vaddr) % table.pageSize !== 0n || flags === 0 || iova % table.pageSize !== 0n)
    fail(Errno.EINVAL);
  const prot =
    (flags & VFIO_DMA_MAP_FLAG_READ ? IOMMU_READ : 0) | (flags & VFIO_DMA_MAP_FLAG_WRITE ? IOMMU_WRITE : 0);
  iommu.build(memory, table, table.indexOf(iova), vaddr, Number(size / table.pageSize), prot);
}

/** @throws EPERM while the container is not enabled */
function unmapDma(iommu: TceIommu, arg: UserPointer, memory: UserMemory): void {
  if (!iommu.enabled) fail(Errno.EPERM);
  const { argsz, flags, iova, size } = decodeDmaUnmap(arg.read(DMA_UNMAP_SIZE));
  if (argsz < DMA_UNMAP_SIZE || flags !== 0) fail(Errno.EINVAL);
  const table = tableOf(iommu, memory, iova);
  const [index, count] = [table.indexOf(iova), Number(size / table.pageSize)];
  if (size % table.pageSize !== 0n || iova % table.pageSize !== 0n || index + count > table.size)
    fail(Errno.EINVAL);
  iommu.clear(table, index, count);
}

function readRegion(arg: UserPointer): { vaddr: bigint; size: bigint } {
  const { argsz, flags, ...region } = decodeSpaprMemory(arg.read(SPAPR_REGISTER_MEMORY_SIZE));
  if (argsz < SPAPR_REGISTER_MEMORY_SIZE || flags !== 0) fail(Errno.EINVAL);
  return region;
}

function registerMemory(iommu: TceIommu, arg: UserPointer, memory: UserMemory): void {
  iommu.setMemory(memory);
  const { vaddr, size } = readRegion(arg);
  iommu.registerMemory(memory, vaddr, size);
}

/** @throws EPERM before the first request of a process that counts memory */
function unregisterMemory(iommu: TceIommu, arg: UserPointer, memory: UserMemory): void {
  if (!iommu.memory) fail(Errno.EPERM);
  const { vaddr, size } = readRegion(arg);
  iommu.unregisterMemory(memory, vaddr, size);
}

function createWindow(iommu: TceIommu, arg: UserPointer, memory: UserMemory): void {
  iommu.setMemory(memory);
  if (iommu.groups.size === 0) fail(Errno.ENXIO);
  const create = decodeSpaprTceCreate(arg.read(SPAPR_TCE_CREATE_SIZE));
  if (create.argsz < SPAPR_TCE_CREATE_SIZE || create.flags !== 0) fail(Errno.EINVAL);
  iommu.createDefaultWindow(memory);
  const start = Buffer.alloc(8);
  start.writeBigUInt64LE(iommu.createWindow(memory, create.pageShift, create.windowSize, create.levels));
  arg.write(start, SPAPR_TCE_CREATE_START_ADDR);
}

function removeWindow(iommu: TceIommu, arg: UserPointer, memory: UserMemory): void {
  iommu.setMemory(memory);
  if (iommu.groups.size === 0) fail(Errno.ENXIO);
  const { argsz, flags, start } = decodeSpaprTceRemove(arg.read(SPAPR_TCE_REMOVE_SIZE));
  if (argsz < SPAPR_TCE_REMOVE_SIZE || flags !== 0) fail(Errno.EINVAL);
  iommu.removeWindow(start);
}
