/**
 * Numbers and layouts of VFIO_DEVICE_FEATURE and of migration (include/uapi/linux/vfio.h). All integers are little endian.
 * @module
 */

/** struct vfio_device_feature: argsz, flags, data. */
export const FEATURE_SIZE = 8;
export const VFIO_DEVICE_FEATURE = 0x3b75;
export const VFIO_DEVICE_FEATURE_MASK = 0xffff;
export const VFIO_DEVICE_FEATURE_GET = 1 << 16;
export const VFIO_DEVICE_FEATURE_SET = 1 << 17;
export const VFIO_DEVICE_FEATURE_PROBE = 1 << 18;

/** Features by number. */
export const VFIO_DEVICE_FEATURE_PCI_VF_TOKEN = 0;
export const VFIO_DEVICE_FEATURE_MIGRATION = 1;
export const VFIO_DEVICE_FEATURE_MIG_DEVICE_STATE = 2;
export const VFIO_DEVICE_FEATURE_LOW_POWER_ENTRY = 3;
export const VFIO_DEVICE_FEATURE_LOW_POWER_ENTRY_WITH_WAKEUP = 4;
export const VFIO_DEVICE_FEATURE_LOW_POWER_EXIT = 5;
export const VFIO_DEVICE_FEATURE_DMA_LOGGING_START = 6;
export const VFIO_DEVICE_FEATURE_DMA_LOGGING_STOP = 7;
export const VFIO_DEVICE_FEATURE_DMA_LOGGING_REPORT = 8;
export const VFIO_DEVICE_FEATURE_MIG_DATA_SIZE = 9;
export const VFIO_DEVICE_FEATURE_BUS_MASTER = 10;

/** struct vfio_device_feature_dma_logging_control: page_size (64), num_ranges, reserved, ranges (64). */
export const DMA_LOGGING_CONTROL_SIZE = 24;
/** struct vfio_device_feature_dma_logging_report: iova, length, page_size, bitmap (64 each). */
export const DMA_LOGGING_REPORT_SIZE = 32;

/** struct vfio_device_feature_migration: flags (64). */
export const VFIO_MIGRATION_STOP_COPY = 1;
export const VFIO_MIGRATION_P2P = 2;
export const VFIO_MIGRATION_PRE_COPY = 4;

/** enum vfio_device_mig_state. */
export const VfioMigState = {
  ERROR: 0,
  STOP: 1,
  RUNNING: 2,
  STOP_COPY: 3,
  RESUMING: 4,
  RUNNING_P2P: 5,
  PRE_COPY: 6,
  PRE_COPY_P2P: 7,
} as const;

const names = new Map<number, string>(Object.entries(VfioMigState).map(([name, state]) => [state, name]));

/** A state's name as debugfs shows it. */
export function migrationStateName(state: number): string {
  return names.get(state) ?? 'Invalid';
}

/** struct vfio_device_feature_mig_state: device_state, data_fd. */
export const FEATURE_MIG_STATE_SIZE = 8;

/** struct vfio_precopy_info: argsz, flags, initial_bytes (64), dirty_bytes (64). */
export const VFIO_MIG_GET_PRECOPY_INFO = 0x3b79;
export const PRECOPY_INFO_SIZE = 24;

export interface PrecopyInfo {
  argsz: number;
  flags: number;
  initialBytes: bigint;
  dirtyBytes: bigint;
}

export function decodePrecopyInfo(bytes: Buffer): PrecopyInfo {
  return {
    argsz: bytes.readUInt32LE(0),
    flags: bytes.readUInt32LE(4),
    initialBytes: bytes.readBigUInt64LE(8),
    dirtyBytes: bytes.readBigUInt64LE(16),
  };
}

export function encodePrecopyInfo(info: PrecopyInfo): Buffer {
  const bytes = Buffer.alloc(PRECOPY_INFO_SIZE);
  bytes.writeUInt32LE(info.argsz, 0);
  bytes.writeUInt32LE(info.flags, 4);
  bytes.writeBigUInt64LE(info.initialBytes, 8);
  bytes.writeBigUInt64LE(info.dirtyBytes, 16);
  return bytes;
}
